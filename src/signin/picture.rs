//! A QR code as a PNG, for those who have nothing that shows SVG: an app that passes the picture on, or mails it.
//!
//! Written here, since a library for pictures would be much for one bit a pixel: PNG (ISO/IEC 15948) with its data in stored
//! blocks of zlib (RFC 1950, RFC 1951 §3.2.4).

use qrcode::{Color, EcLevel, QrCode};

use crate::outage::{Dependency, Outage};

/// Pixels of a module, each way.
const MODULE: usize = 6;

/// Modules of white round the code (ISO/IEC 18004 §5.3.8).
const QUIET: usize = 4;

/// The longest stored block.
const BLOCK: usize = 0xffff;

/// `text` as a QR code, black on white, with its quiet zone.
///
/// # Errors
/// When it is too long for one.
pub fn png(text: &str) -> Result<Vec<u8>, Outage> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|cause| Outage::new(Dependency::Keys, cause))?;
    let (width, modules) = (code.width(), code.to_colors());
    let side = (width + 2 * QUIET) * MODULE;
    let is_dark = |x: usize, y: usize| {
        let (column, row) = ((x / MODULE).checked_sub(QUIET), (y / MODULE).checked_sub(QUIET));
        let place = column.zip(row).filter(|(column, _)| *column < width).map(|(column, row)| row * width + column);
        place.and_then(|place| modules.get(place)) == Some(&Color::Dark)
    };
    let mut lines = Vec::new();
    for y in 0..side {
        // No filter; then a bit a pixel, white is 1.
        lines.push(0);
        lines.extend((0..side).step_by(8).map(|x| (0..8).fold(0_u8, |byte, bit| byte << 1 | u8::from(!is_dark(x + bit, y)))));
    }
    Ok(file(u32::try_from(side).unwrap_or(u32::MAX), &lines))
}

fn file(side: u32, lines: &[u8]) -> Vec<u8> {
    let mut header = [side.to_be_bytes(), side.to_be_bytes()].concat();
    // One bit a pixel, grey; the only compression, filter and order of lines.
    header.extend([1, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, *b"IHDR", &header);
    chunk(&mut png, *b"IDAT", &stored(lines));
    chunk(&mut png, *b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    png.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    let body = [&kind[..], data].concat();
    png.extend(&body);
    png.extend(crc(&body).to_be_bytes());
}

/// zlib, without compression.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = data.chunks(BLOCK).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(adler(data).to_be_bytes());
    out
}

/// CRC-32 of ISO 3309, bit by bit: a picture has a few thousand bytes.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn adler(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// What another library's camera reads in a picture that a third one has opened.
    fn read(png: &[u8]) -> String {
        let mut decoder = png::Decoder::new(Cursor::new(png));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let (width, height) = (usize::try_from(info.width).unwrap(), usize::try_from(info.height).unwrap());
        let step = info.color_type.samples();
        let mut seen = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[(y * width + x) * step]);
        let grids = seen.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn a_camera_reads_what_was_written() {
        for length in [1, 40, 120, 300, 900, 2000] {
            let text: String = "otpauth://totp/Wiki:ada%40example.com?secret=GEZD&x=".chars().cycle().take(length).collect();
            assert_eq!(read(&super::png(&text).unwrap()), text, "{length}");
        }
    }

    #[test]
    fn what_is_too_long_is_no_picture() {
        super::png(&"a".repeat(3000)).unwrap_err();
    }

    #[test]
    fn sums_are_those_of_the_standards() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler(b"Wikipedia"), 0x11e6_0398);
    }
}
