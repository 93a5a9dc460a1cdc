//! Reads Rust source as far as its paths: which names, through `::` and groups of `use`, does a file name, on which line?
//! Comments and what stands between quotes are not source. Enough to hold the table of modules, and no more.

use std::iter::Peekable;
use std::vec::IntoIter;

/// A path as it is written, groups unfolded: `use crate::{a, b::c};` names `crate::a` and `crate::b::c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPath {
    pub line: usize,
    pub segments: Vec<String>,
    /// It is what a `use` brings in, so that one segment alone counts too.
    pub is_use: bool,
}

/// Every path in a source, in order. Single names count only in a `use`.
pub fn paths(source: &str) -> Vec<NamedPath> {
    let mut reader = Reader { tokens: tokens(&blank(source)).into_iter().peekable(), found: Vec::new() };
    reader.read();
    reader.found
}

// === paths

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    line: usize,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Name(String),
    Colons,
    Open,
    Close,
    Comma,
    Other,
}

struct Reader {
    tokens: Peekable<IntoIter<Token>>,
    found: Vec<NamedPath>,
}

impl Reader {
    fn read(&mut self) {
        let mut is_use = false;
        while let Some(token) = self.tokens.next() {
            match token.kind {
                Kind::Name(name) if name == "use" || name == "extern" => is_use = true,
                Kind::Name(name) if is_use && name == "crate" && !self.continues() => {} // `extern crate`
                Kind::Name(name) => {
                    self.path(token.line, vec![name], is_use);
                    is_use = false;
                }
                Kind::Open if is_use => {
                    self.group(&[], true);
                    is_use = false;
                }
                Kind::Colons => {} // `::name`, a path from the root: its name follows
                Kind::Open | Kind::Close | Kind::Comma | Kind::Other => is_use = false,
            }
        }
    }

    /// The rest of a path whose first segments are read.
    fn path(&mut self, line: usize, mut segments: Vec<String>, is_use: bool) {
        while self.continues() {
            self.tokens.next();
            match self.tokens.peek().map(|token| token.kind.clone()) {
                Some(Kind::Name(name)) => {
                    self.tokens.next();
                    segments.push(name);
                }
                Some(Kind::Open) => {
                    self.tokens.next();
                    return self.group(&segments, is_use);
                }
                _ => break, // a turbofish or a glob
            }
        }
        if is_use || segments.len() > 1 {
            self.found.push(NamedPath { line, segments, is_use });
        }
    }

    /// `{a, b::c, self}` behind some segments.
    fn group(&mut self, before: &[String], is_use: bool) {
        let mut is_named = false;
        while let Some(token) = self.tokens.next() {
            match token.kind {
                Kind::Close => return,
                Kind::Open => self.group(before, is_use),
                Kind::Name(name) if is_named || name == "as" => {
                    is_named = true; // `as other`: a name of our own
                    drop(name);
                }
                Kind::Name(name) => {
                    let own = (name != "self").then_some(name);
                    let segments = before.iter().cloned().chain(own).collect();
                    self.path(token.line, segments, is_use);
                }
                Kind::Comma => is_named = false,
                Kind::Colons | Kind::Other => {}
            }
        }
    }

    fn continues(&mut self) -> bool {
        self.tokens.peek().is_some_and(|token| token.kind == Kind::Colons)
    }
}

fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = source.chars().peekable();
    let mut line = 1;
    while let Some(letter) = rest.next() {
        let kind = match letter {
            '\n' => {
                line += 1;
                continue;
            }
            letter if letter.is_whitespace() => continue,
            ':' if rest.next_if_eq(&':').is_some() => Kind::Colons,
            '{' => Kind::Open,
            '}' => Kind::Close,
            ',' => Kind::Comma,
            letter if is_name(letter) => {
                let mut name = String::from(letter);
                while let Some(letter) = rest.next_if(|letter| is_name(*letter)) {
                    name.push(letter);
                }
                Kind::Name(name)
            }
            _ => Kind::Other,
        };
        found.push(Token { line, kind });
    }
    found
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

// === what is not source

/// The source with comments and texts replaced by blanks, every line where it was.
fn blank(source: &str) -> String {
    let mut kept = String::new();
    let mut rest = source;
    while !rest.is_empty() {
        let length = quoted(rest, kept.chars().last()).unwrap_or(0);
        if length == 0 {
            let letter = rest.chars().next().expect("not empty");
            kept.push(letter);
            rest = &rest[letter.len_utf8()..];
        } else {
            let (gone, after) = rest.split_at(length);
            kept.push(' ');
            kept.extend(gone.chars().filter(|letter| *letter == '\n'));
            rest = after;
        }
    }
    kept
}

/// How long the comment or text at the beginning is, if there is one.
fn quoted(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if rest.starts_with('"') {
        return Some(text(rest));
    }
    if rest.starts_with('\'') {
        return letter(rest);
    }
    if before.is_none_or(|letter| !is_name(letter)) {
        return raw_text(rest);
    }
    None
}

/// Block comments hold block comments.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut place) = (0_usize, 0);
    loop {
        let here = &rest[place..];
        if here.starts_with("/*") {
            depth += 1;
            place += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            place += 2;
            if depth == 0 {
                return place;
            }
        } else {
            match here.chars().next() {
                Some(letter) => place += letter.len_utf8(),
                None => return place,
            }
        }
    }
}

fn text(rest: &str) -> usize {
    let mut is_escaped = false;
    for (place, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `'x'` and `'\n'`, but not the lifetime `'a`.
fn letter(rest: &str) -> Option<usize> {
    let mut letters = rest.char_indices().skip(1);
    let (_, first) = letters.next()?;
    if first == '\\' {
        return rest.char_indices().skip(3).find(|(_, letter)| *letter == '\'').map(|(place, _)| place + 1);
    }
    let (place, second) = letters.next()?;
    (second == '\'').then_some(place + 1)
}

/// `r"…"`, `r#"…"#`, with `b` or `c` before.
fn raw_text(rest: &str) -> Option<usize> {
    let raw = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let inside = raw[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |place| place + end.len());
    Some(rest.len() - inside.len() + length)
}
