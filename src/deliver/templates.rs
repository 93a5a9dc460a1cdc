//! Templates of messages: ours, and an operator's in their place, from a folder; per language, or for all.
//!
//! `code.de.txt` is taken for German, else `code.txt`, else ours. All are read and checked when the server starts.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;

use crate::language::Language;

/// The largest file that is read, bytes.
const LARGEST: u64 = 64 * 1024;

/// A part of a message that has a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    /// A code's subject.
    CodeSubject,
    /// A code's mail as text.
    CodeText,
    /// The same as HTML.
    CodeHtml,
    /// What an SMS says in front of the line that browsers read.
    CodeSms,
    /// A notice's subject.
    NoticeSubject,
    /// A notice's mail as text.
    NoticeText,
    /// The same as HTML.
    NoticeHtml,
    /// A notice by SMS.
    NoticeSms,
}

/// What may stand in the templates of a code.
const OF_A_CODE: &[&str] = &["code", "name", "minutes", "host", "lang", "dir", "start", "subject", "lead", "hint", "warning"];
/// And of a notice.
const OF_A_NOTICE: &[&str] = &["what", "advice", "name", "host", "lang", "dir", "start"];

impl Piece {
    const ALL: [Self; 8] = [
        Self::CodeSubject,
        Self::CodeText,
        Self::CodeHtml,
        Self::CodeSms,
        Self::NoticeSubject,
        Self::NoticeText,
        Self::NoticeHtml,
        Self::NoticeSms,
    ];

    /// Its file's name, before and after the language.
    const fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::CodeSubject => ("code-subject", "txt"),
            Self::CodeText => ("code", "txt"),
            Self::CodeHtml => ("code", "html"),
            Self::CodeSms => ("code-sms", "txt"),
            Self::NoticeSubject => ("notice-subject", "txt"),
            Self::NoticeText => ("notice", "txt"),
            Self::NoticeHtml => ("notice", "html"),
            Self::NoticeSms => ("notice-sms", "txt"),
        }
    }

    const fn ours(self) -> &'static str {
        match self {
            Self::CodeText => include_str!("templates/code.txt"),
            Self::CodeHtml => include_str!("templates/code.html"),
            // The same words, which an operator may tell apart.
            Self::CodeSubject | Self::CodeSms => include_str!("templates/code-subject.txt"),
            Self::NoticeSubject => include_str!("templates/notice-subject.txt"),
            Self::NoticeText => include_str!("templates/notice.txt"),
            Self::NoticeHtml => include_str!("templates/notice.html"),
            Self::NoticeSms => include_str!("templates/notice-sms.txt"),
        }
    }

    /// What must stand in it, and what else may.
    const fn values(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::CodeSubject | Self::CodeText | Self::CodeHtml | Self::CodeSms => ("code", OF_A_CODE),
            Self::NoticeSubject | Self::NoticeText | Self::NoticeHtml | Self::NoticeSms => ("what", OF_A_NOTICE),
        }
    }

    /// The piece and the language (none: all) that a file is for.
    fn of_file(name: &str) -> Option<(Self, Option<Language>)> {
        let languages = Language::ALL.into_iter().map(Some).chain([None]);
        let mut all = languages.flat_map(|language| Self::ALL.map(|piece| (piece, language)));
        all.find(|(piece, language)| {
            let (stem, ending) = piece.file();
            match language {
                Some(language) => name == format!("{stem}.{}.{ending}", language.tag()),
                None => name == format!("{stem}.{ending}"),
            }
        })
    }
}

/// The templates.
#[derive(Debug, Default)]
pub(super) struct Templates(HashMap<(Piece, Option<Language>), String>);

impl Templates {
    /// Ours, and in their place those in `folder`.
    ///
    /// # Errors
    /// Every mistake, in a sentence that names the file.
    pub(super) fn read(folder: &Path) -> Result<Self, Vec<String>> {
        let entries = std::fs::read_dir(folder).map_err(|error| vec![format!("{} cannot be read: {error}", folder.display())])?;
        let (mut own, mut wrong) = (HashMap::new(), Vec::new());
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if !matches!(ending, Some("txt" | "html")) {
                continue;
            }
            match read_one(&path, &name) {
                Ok((place, text)) => drop(own.insert(place, text)),
                Err(problem) => wrong.push(format!("{name} {problem}")),
            }
        }
        wrong.sort();
        if wrong.is_empty() { Ok(Self(own)) } else { Err(wrong) }
    }

    /// The template of `piece` in `language`.
    pub(super) fn of(&self, piece: Piece, language: Language) -> &str {
        let own = self.0.get(&(piece, Some(language))).or_else(|| self.0.get(&(piece, None)));
        own.map_or(piece.ours(), String::as_str)
    }
}

fn read_one(path: &Path, name: &str) -> Result<((Piece, Option<Language>), String), String> {
    let place = Piece::of_file(name).ok_or("is no template: there are code, code-subject, code-sms, notice, notice-subject, notice-sms")?;
    let unread = |error: std::io::Error| format!("cannot be read: {error}");
    let mut text = String::new();
    // Bounded: a file that is put there by mistake must not fill the memory.
    std::fs::File::open(path).map_err(unread)?.take(LARGEST + 1).read_to_string(&mut text).map_err(unread)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err("is larger than 64 KiB".to_owned());
    }
    judge(place.0, &text)?;
    Ok((place, text))
}

fn judge(piece: Piece, text: &str) -> Result<(), String> {
    let (needed, known) = piece.values();
    let one_line = matches!(piece, Piece::CodeSubject | Piece::NoticeSubject);
    let mut names = names(text);
    if let Some(odd) = names.clone().find(|name| !known.contains(name)) {
        return Err(format!("has {{{odd}}}, which is none of {}", known.join(", ")));
    }
    if one_line && names.clone().any(|name| name == "subject") {
        return Err("has {subject}, which it is".to_owned());
    }
    if one_line && text.trim_end().lines().count() != 1 {
        return Err("should be one line".to_owned());
    }
    if !names.any(|name| name == needed) {
        return Err(format!("lacks {{{needed}}}"));
    }
    Ok(())
}

/// The values that `text` asks for.
fn names(text: &str) -> impl Iterator<Item = &str> + Clone {
    let inside = text.split('{').skip(1).filter_map(|piece| piece.split_once('}'));
    inside.map(|(name, _)| name).filter(|name| is_name(name))
}

/// Braces around anything else, a style's, are no value.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// `template` with each `{name}` replaced, in one pass: a value that looks like a name is not replaced again.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut pieces = template.split('{');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let known = piece.split_once('}').and_then(|(name, rest)| Some((&values.iter().find(|(known, _)| *known == name)?.1, rest)));
        match known {
            Some((value, rest)) => filled.extend([value.as_str(), rest]),
            None => filled.extend(["{", piece]),
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_templates_lack_nothing_that_ours_must_have() {
        for piece in Piece::ALL {
            let known = piece.values().1;
            assert!(names(piece.ours()).all(|name| known.contains(&name)), "{piece:?}");
            let (stem, ending) = piece.file();
            assert_eq!(Piece::of_file(&format!("{stem}.{ending}")), Some((piece, None)));
            assert_eq!(Piece::of_file(&format!("{stem}.de.{ending}")), Some((piece, Some(Language::German))));
        }
        assert_eq!(Piece::of_file("code.it.txt"), None);
    }

    #[test]
    fn a_template_that_cannot_do_is_refused() {
        let cases = [
            (Piece::CodeText, "Code: {code}\n", Ok(())),
            (Piece::CodeHtml, "<style>p{color:red} b { }</style>{code}", Ok(())),
            (Piece::CodeText, "Hello {name}", Err("lacks {code}".to_owned())),
            (Piece::CodeSubject, "{code}\r\nBcc: all", Err("should be one line".to_owned())),
            (Piece::CodeSubject, "{subject} {code}", Err("has {subject}, which it is".to_owned())),
            (Piece::NoticeText, "{advice}", Err("lacks {what}".to_owned())),
        ];
        for (piece, text, judged) in cases {
            assert_eq!(judge(piece, text), judged, "{text}");
        }
        assert!(judge(Piece::CodeText, "{coed}").unwrap_err().starts_with("has {coed}, which is none of code, "));
    }

    #[test]
    fn a_value_is_not_filled_again() {
        let values = [("code", "{name}".to_owned()), ("name", "{code}".to_owned())];
        assert_eq!(fill("a{code}b{name}c{other}{", &values), "a{name}b{code}c{other}{");
    }
}
