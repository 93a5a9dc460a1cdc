//! The operator's own look: name, logo, colours, and parts of pages from a folder. All of it is read once, judged when the
//! configuration is, and becomes part of each page.

mod colour;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::Mistake;
use crate::endpoint::settings::PageSettings;

pub(super) use colour::Colour;

/// The one style sheet, part of each page, so that an error page needs nothing else.
pub(super) const STYLE: &str = include_str!("../../../../templates/style.css");

/// The largest logo, bytes: a page stays under 50 KB with all that belongs to it.
const LARGEST_LOGO: u64 = 16 * 1024;

/// The largest part of a page, bytes.
const LARGEST_PART: u64 = 8 * 1024;

/// What the folder may hold.
const PARTS: [&str; 3] = ["style.css", "header.html", "footer.html"];

/// What text needs to be read (WCAG 2.2 §1.4.3).
const READABLE: f64 = 4.5;

const WHITE: Colour = Colour::new([255; 3]);
const LIGHT: Grounds = Grounds { card: WHITE, ground: Colour::new([0xf5, 0xf3, 0xee]), tint: 10 };
const DARK: Grounds = Grounds { card: Colour::new([0x1c, 0x23, 0x26]), ground: Colour::new([0x13, 0x18, 0x1a]), tint: 14 };

/// What the accent stands on.
struct Grounds {
    card: Colour,
    ground: Colour,
    /// Hundredths of the accent in the ground of notes.
    tint: u32,
}

impl Grounds {
    fn note(&self, accent: Colour) -> Colour {
        self.card.mixed(accent, self.tint)
    }

    /// The least contrast of the accent with what it stands on.
    fn contrast(&self, accent: Colour) -> f64 {
        [self.card, self.ground, self.note(accent)].into_iter().map(|ground| accent.contrast(ground)).fold(f64::MAX, f64::min)
    }
}

/// How the pages look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// The name over the door.
    pub(super) name: String,
    /// The style sheet, with the operator's behind ours.
    pub(super) style: String,
    /// The logo, as a `data:` URL.
    pub(super) logo: Option<String>,
    /// What stands above the page, instead of logo and name.
    pub(super) header: Option<String>,
    /// What stands below it.
    pub(super) footer: Option<String>,
}

impl Brand {
    /// As the settings say.
    ///
    /// # Errors
    /// Every mistake in them, and in the files that they name.
    pub fn read(settings: &PageSettings) -> Result<Self, Vec<Mistake>> {
        let mut notes = Vec::new();
        let name = settings.name.clone();
        let short = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if !short {
            notes.push(Mistake::new("pages.name", "should be 1 to 64 characters on one line"));
        }
        let logo = settings.logo.as_deref().and_then(|path| kept(logo(path), "pages.logo", &mut notes));
        let colours = colours(settings, &mut notes);
        let [style, header, footer] = match settings.templates.as_deref() {
            Some(folder) => PARTS.map(|part| kept(read_part(folder, part), "pages.templates", &mut notes).flatten()),
            None => [None, None, None],
        };
        notes.extend(settings.templates.as_deref().into_iter().flat_map(strangers));
        let style = [STYLE.trim_end(), &colours, style.as_deref().unwrap_or_default()].join("\n");
        if notes.is_empty() { Ok(Self { name, style, logo, header, footer }) } else { Err(notes) }
    }
}

fn kept<T>(result: Result<T, String>, key: &str, notes: &mut Vec<Mistake>) -> Option<T> {
    result.map_err(|problem| notes.push(Mistake::new(key, problem))).ok()
}

/// The picture as a `data:` URL. An SVG in an `<img>` runs no script and loads nothing.
fn logo(path: &Path) -> Result<String, String> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let kind = match extension.as_str() {
        "svg" => "svg+xml",
        "png" => "png",
        "jpg" | "jpeg" => "jpeg",
        "webp" => "webp",
        _ => return Err("should be a file that ends with .svg, .png, .jpg or .webp".to_owned()),
    };
    let bytes = bounded(path, LARGEST_LOGO)?;
    Ok(format!("data:image/{kind};base64,{}", STANDARD.encode(bytes)))
}

/// One of the parts, if the folder has it.
fn read_part(folder: &Path, part: &str) -> Result<Option<String>, String> {
    let path = folder.join(part);
    if folder.is_dir() && !path.exists() {
        return Ok(None);
    }
    let bytes = bounded(&path, LARGEST_PART)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    let lower = text.to_ascii_lowercase();
    if part == "style.css" {
        let ends = lower.contains("</") || lower.contains("@import");
        return if ends { Err(format!("{} should hold rules alone: no tags, no @import", path.display())) } else { Ok(Some(text)) };
    }
    let own = ["<script", "<style", " style=", "<meta", "<base", "<link", "javascript:"].into_iter().find(|own| lower.contains(own));
    match own {
        Some(own) => Err(format!("{}: the pages' policy forbids \"{own}\"; styles belong into style.css", path.display())),
        None => Ok(Some(text)),
    }
}

/// Files of other names, which somebody may expect to count.
fn strangers(folder: &Path) -> Vec<Mistake> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let strange = names.filter(|name| !name.starts_with('.') && !PARTS.contains(&name.as_str()));
    let told = |name| Mistake::new("pages.templates", format!("{name} is not used; the folder may hold {}", PARTS.join(", ")));
    strange.map(told).collect()
}

/// A file's bytes; a larger one is refused before it fills the memory.
fn bounded(path: &Path, largest: u64) -> Result<Vec<u8>, String> {
    let unread = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let mut bytes = Vec::new();
    File::open(path).map_err(unread)?.take(largest + 1).read_to_end(&mut bytes).map_err(unread)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > largest {
        return Err(format!("{} is larger than {} KiB", path.display(), largest / 1024));
    }
    Ok(bytes)
}

/// The rules that set the operator's colours; nothing when none is set.
fn colours(settings: &PageSettings, notes: &mut Vec<Mistake>) -> String {
    let accent = kept(read_colour(settings.accent.as_deref()), "pages.accent", notes).flatten();
    let own = kept(read_colour(settings.accent_dark.as_deref()), "pages.accent_dark", notes).flatten();
    let light = accent.and_then(|accent| kept(rules(accent, &LIGHT), "pages.accent", notes));
    let dark = own.or_else(|| accent.map(lightened)).and_then(|dark| kept(rules(dark, &DARK), "pages.accent_dark", notes));
    let dark = dark.map(|dark| format!("@media (prefers-color-scheme:dark){{{dark}}}"));
    light.unwrap_or_default() + &dark.unwrap_or_default()
}

fn read_colour(text: Option<&str>) -> Result<Option<Colour>, String> {
    let read = |text| Colour::read(text).ok_or_else(|| format!("{text:?} is not a colour; write \"#17594f\""));
    text.map(read).transpose()
}

/// A tone of the colour that can be read on dark ground.
fn lightened(colour: Colour) -> Colour {
    let tones = (0..=100).step_by(5).map(|hundredths| colour.mixed(WHITE, hundredths));
    tones.clone().find(|tone| DARK.contrast(*tone) >= 6.5).unwrap_or(WHITE)
}

fn rules(accent: Colour, grounds: &Grounds) -> Result<String, String> {
    let contrast = grounds.contrast(accent);
    if contrast < READABLE {
        let ground = grounds.ground;
        return Err(format!("{accent} stands out too little from {ground}: {contrast:.1} to 1, and should be at least {READABLE} to 1"));
    }
    let (ink, deep) =
        if grounds.card == WHITE { (WHITE, accent.mixed(Colour::new([0; 3]), 25)) } else { (DARK.ground, accent.mixed(WHITE, 30)) };
    let note = grounds.note(accent);
    Ok(format!(":root{{--accent:{accent};--accent-ink:{ink};--accent-deep:{deep};--link:{accent};--note-ground:{note}}}"))
}

#[cfg(test)]
mod tests;
