//! Colours: read, mixed, and compared as eyes compare them.

use std::fmt;

/// A colour of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::endpoint::page) struct Colour([u8; 3]);

impl Colour {
    /// From its three parts.
    pub(super) const fn new(parts: [u8; 3]) -> Self {
        Self(parts)
    }

    /// From `#rrggbb`.
    pub(in crate::endpoint::page) fn read(text: &str) -> Option<Self> {
        let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let [_, red, green, blue] = u32::from_str_radix(hex, 16).ok()?.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    /// With so many hundredths of another.
    pub(super) fn mixed(self, other: Self, hundredths: u32) -> Self {
        let (Self([red, green, blue]), Self([r, g, b])) = (self, other);
        let part = |one: u8, two: u8| {
            let sum = u32::from(one) * 100_u32.saturating_sub(hundredths) + u32::from(two) * hundredths.min(100);
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        Self([part(red, r), part(green, g), part(blue, b)])
    }

    /// How much the two stand out from each other: 1 to 21 (WCAG 2.2, "contrast ratio").
    pub(in crate::endpoint::page) fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.light(), other.light());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
    fn light(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_read_as_it_is_written() {
        assert_eq!(Colour::read("#17594f").unwrap().to_string(), "#17594f");
        for text in ["", "17594f", "#17594", "#17594g", "#+17594", "red", "#17594f;}"] {
            assert_eq!(Colour::read(text), None, "{text}");
        }
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        let (black, white) = (Colour::new([0; 3]), Colour::new([255; 3]));
        assert!((black.contrast(white) - 21.0).abs() < 0.001);
        assert!((white.contrast(white) - 1.0).abs() < 0.001);
        assert!((Colour::read("#767676").unwrap().contrast(white) - 4.54).abs() < 0.01);
        assert_eq!(black.mixed(white, 50).to_string(), "#7f7f7f");
    }
}
