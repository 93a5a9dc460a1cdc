//! Pictures of pages: what a camera reads in them, and how they are kept small.

use std::collections::HashMap;
use std::io::Cursor;

use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter, Transformations};

/// Rows of red, green and blue.
#[derive(Clone, Debug)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Reads a PNG, without regard to how much one can see through it.
    pub fn read(png: &[u8]) -> Self {
        let mut decoder = Decoder::new(Cursor::new(png));
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().expect("a PNG");
        let mut buffer = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut buffer).expect("a picture");
        let step = info.color_type.samples();
        assert!(step >= 3, "a picture in colours, not {:?}", info.color_type);
        let pixels = buffer[..info.buffer_size()].chunks_exact(step).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        Self { width: size(info.width), height: size(info.height), pixels }
    }

    /// The upper part, of at most so many rows.
    pub fn top(mut self, rows: usize) -> Self {
        self.height = self.height.min(rows);
        self.pixels.truncate(self.width * self.height);
        self
    }

    /// What the QR codes in it say.
    pub fn codes(&self) -> Vec<String> {
        let grey = |x: usize, y: usize| {
            let [red, green, blue] = self.pixels[y * self.width + x].map(u32::from);
            u8::try_from((red * 299 + green * 587 + blue * 114) / 1000).expect("a mean")
        };
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, grey);
        prepared.detect_grids().iter().map(|grid| grid.decode().expect("a code that can be read").1).collect()
    }

    /// A small PNG: with a palette of the 256 colours that are seen most; the others become the nearest of those.
    pub fn small(&self) -> Vec<u8> {
        let palette = self.palette();
        let mut places: HashMap<[u8; 3], u8> = HashMap::new();
        let mut data = Vec::with_capacity(self.pixels.len());
        for (pixel, run) in self.runs() {
            let place = *places.entry(pixel).or_insert_with(|| nearest(&palette, pixel));
            data.resize(data.len() + run, place);
        }
        let mut written = Vec::new();
        let narrow = |size: usize| u32::try_from(size).expect("a size of a picture");
        let mut encoder = Encoder::new(&mut written, narrow(self.width), narrow(self.height));
        encoder.set_color(ColorType::Indexed);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_palette(palette.concat());
        encoder.set_compression(Compression::High);
        encoder.set_filter(Filter::NoFilter);
        let mut writer = encoder.write_header().expect("a header");
        writer.write_image_data(&data).expect("a picture");
        writer.finish().expect("an end");
        written
    }

    /// Pixels that are the same as the one before them, together: most of a page is.
    fn runs(&self) -> impl Iterator<Item = ([u8; 3], usize)> + '_ {
        self.pixels.chunk_by(|one, next| one == next).filter_map(|run| Some((*run.first()?, run.len())))
    }

    fn palette(&self) -> Vec<[u8; 3]> {
        let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
        for (pixel, run) in self.runs() {
            *counts.entry(pixel).or_default() += run;
        }
        let mut colours: Vec<_> = counts.into_iter().collect();
        colours.sort_unstable_by_key(|(colour, count)| (std::cmp::Reverse(*count), *colour));
        colours.into_iter().take(256).map(|(colour, _)| colour).collect()
    }
}

fn size(length: u32) -> usize {
    usize::try_from(length).expect("a size")
}

fn nearest(palette: &[[u8; 3]], pixel: [u8; 3]) -> u8 {
    let apart = |colour: &[u8; 3]| colour.iter().zip(pixel).map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).sum::<u32>();
    let place = (0..palette.len()).min_by_key(|place| apart(&palette[*place])).expect("a palette");
    u8::try_from(place).expect("at most 256 colours")
}
