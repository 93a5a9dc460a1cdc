use std::collections::HashMap;

use super::*;

/// The colours of each `:root` of a style sheet, by name.
fn palettes(style: &str) -> Vec<HashMap<String, Colour>> {
    let read = |block: &str| block.split('}').next().unwrap().split(';').filter_map(colour).collect();
    style.split(":root{").skip(1).map(read).collect()
}

fn colour(declaration: &str) -> Option<(String, Colour)> {
    let (name, hex) = declaration.strip_prefix("--")?.split_once(":#")?;
    let wide: String = if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
    Some((name.to_owned(), Colour::read(&format!("#{wide}")).unwrap()))
}

fn accented(accent: Option<&str>, dark: Option<&str>) -> Result<Brand, Vec<Mistake>> {
    Brand::read(&PageSettings { accent: accent.map(str::to_owned), accent_dark: dark.map(str::to_owned), ..PageSettings::default() })
}

fn problem(settings: &PageSettings) -> String {
    Brand::read(settings).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn assert_readable(palette: &HashMap<String, Colour>, named: &str) {
    let text = [
        ("ink", "ground"),
        ("ink", "card"),
        ("ink", "note-ground"),
        ("soft", "card"),
        ("soft", "ground"),
        ("link", "card"),
        ("link", "ground"),
        ("link", "note-ground"),
        ("accent-ink", "accent"),
        ("accent-ink", "accent-deep"),
        ("error", "error-ground"),
        ("error", "card"),
    ];
    let edges = [("line", "card"), ("error", "card"), ("accent", "card"), ("accent", "ground"), ("accent", "note-ground")];
    for (pairs, least) in [(&text[..], READABLE), (&edges[..], 3.0)] {
        for (one, other) in pairs {
            let ratio = palette[*one].contrast(palette[*other]);
            assert!(ratio >= least, "{named}: {one} on {other}: {ratio:.2}");
        }
    }
}

#[test]
fn text_and_edges_stand_out_in_light_and_dark() {
    let palettes = palettes(STYLE);
    assert_eq!(palettes.len(), 2);
    assert_readable(&palettes[0], "light");
    assert_readable(&palettes[1], "dark");
    for (grounds, palette) in [(LIGHT, &palettes[0]), (DARK, &palettes[1])] {
        assert_eq!((grounds.card, grounds.ground), (palette["card"], palette["ground"]));
    }
}

#[test]
fn whatever_accent_is_accepted_can_be_read() {
    let mut accepted = 0;
    for accent in ["#17594f", "#1a4fa3", "#7a1f5c", "#000000", "#b3261e", "#5b3df5", "#006400", "#ffcc00", "#ffffff", "#777777"] {
        let Ok(brand) = accented(Some(accent), None) else { continue };
        accepted += 1;
        let mut palettes = palettes(&brand.style);
        assert_eq!(palettes.len(), 4, "{accent}");
        let own = palettes.split_off(2);
        for (palette, own) in palettes.iter_mut().zip(own) {
            palette.extend(own);
            assert_readable(palette, accent);
        }
    }
    assert_eq!(accepted, 7, "the last three are too pale");
}

#[test]
fn a_pale_accent_is_refused_with_its_contrast() {
    assert!(accented(Some("#17594f"), Some("#7cc8b9")).is_ok());
    let refused = accented(Some("#ffcc00"), None).unwrap_err();
    assert_eq!(refused[0].key, "pages.accent");
    assert!(refused[0].problem.starts_with("#ffcc00 stands out too little from #f5f3ee: 1."), "{}", refused[0]);
    assert!(accented(None, Some("#123456")).is_err());
    assert!(accented(Some("blue"), None).unwrap_err()[0].problem.contains("is not a colour"));
}

#[test]
fn a_logo_becomes_part_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logo.svg");
    std::fs::write(&path, "<svg/>").unwrap();
    let with = |path: &Path| PageSettings { logo: Some(path.to_owned()), ..PageSettings::default() };

    assert_eq!(Brand::read(&with(&path)).unwrap().logo.unwrap(), "data:image/svg+xml;base64,PHN2Zy8+");
    std::fs::write(&path, vec![b' '; 16 * 1024 + 1]).unwrap();
    assert!(problem(&with(&path)).contains("is larger than 16 KiB"));
    assert!(problem(&with(&folder.path().join("none.png"))).contains("cannot be read"));
    assert!(problem(&with(&folder.path().join("logo.exe"))).contains(".svg"));
}

#[test]
fn a_folder_gives_style_header_and_footer() {
    let folder = tempfile::tempdir().unwrap();
    let settings = PageSettings { templates: Some(folder.path().to_owned()), ..PageSettings::default() };
    assert_eq!(Brand::read(&settings).unwrap(), Brand::read(&PageSettings::default()).unwrap());

    std::fs::write(folder.path().join("style.css"), "h1{color:red}").unwrap();
    std::fs::write(folder.path().join("footer.html"), "<p><a href=\"/imprint\">Imprint</a></p>").unwrap();
    let brand = Brand::read(&settings).unwrap();

    assert!(brand.style.starts_with(STYLE.trim_end()) && brand.style.ends_with("h1{color:red}"));
    assert_eq!((brand.header, brand.footer.unwrap().contains("Imprint")), (None, true));
}

#[test]
fn what_the_policy_would_block_is_refused_beforehand() {
    for (file, text, said) in [
        ("footer.html", "<SCRIPT>1</SCRIPT>", "<script"),
        ("header.html", "<p style=\"color:red\">", " style="),
        ("style.css", "</style><script>", "no tags"),
        ("style.css", "@import 'x'", "no @import"),
        ("login.html", "x", "login.html is not used"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), text).unwrap();
        let settings = PageSettings { templates: Some(folder.path().to_owned()), ..PageSettings::default() };
        assert!(problem(&settings).contains(said), "{file}: {}", problem(&settings));
    }
    let missing = PageSettings { templates: Some("/nonexistent".into()), ..PageSettings::default() };
    assert!(problem(&missing).contains("cannot be read"));
}

#[test]
fn a_dark_accent_is_named_as_such() {
    for dark in ["#000000", "#zzzzzz"] {
        let refused = accented(Some("#17594f"), Some(dark)).unwrap_err();
        let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].starts_with("pages.accent_dark: "), "{told:?}");
    }
}
