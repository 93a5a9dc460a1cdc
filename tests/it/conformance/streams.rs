//! The corpus, read: names, bytes, and what must become of them.

/// One byte stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub name: String,
    pub bytes: Vec<u8>,
    /// Of HTTP/2: the mark of each line and its bytes.
    pub steps: Vec<(char, Vec<u8>)>,
    /// In the order of the replies.
    pub fates: Vec<Fate>,
}

/// What becomes of one request, or of what is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The gateway answers itself.
    Answered { status: u16, may_be_seen: bool, closes: bool },
    /// The app reads it.
    Forwarded { request: Request, closes: bool },
    /// The connection closes without an answer.
    Silence { may_be_seen: bool },
    /// Under HTTP/2: reset, with or without a bare 400 or 431 before.
    Reset { may_be_seen: bool },
}

/// What the app must read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: Vec<u8>,
    pub body: Vec<u8>,
    pub host: String,
    pub is_signed_in: bool,
    pub may_be_refused: bool,
}

/// The statuses after which nobody knows where the next request would begin.
const CLOSING: [u16; 4] = [400, 405, 408, 431];

impl Fate {
    pub fn closes(&self) -> bool {
        match self {
            Self::Answered { closes, .. } | Self::Forwarded { closes, .. } => *closes,
            Self::Silence { .. } | Self::Reset { .. } => true,
        }
    }
}

/// The streams of a corpus, `{token}` replaced.
pub fn read(corpus: &str, token: &str) -> Vec<Stream> {
    let mut all: Vec<Stream> = Vec::new();
    for line in corpus.lines() {
        let (mark, rest) = line.split_at(line.len().min(1));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        if mark == "=" {
            all.push(Stream { name: rest.to_owned(), bytes: Vec::new(), steps: Vec::new(), fates: Vec::new() });
            continue;
        }
        let Some(stream) = all.last_mut() else { continue };
        match mark {
            ">" => stream.bytes.extend([&unescaped(&rest.replace("{token}", token))[..], b"\r\n"].concat()),
            "|" => stream.bytes.extend(unescaped(&rest.replace("{token}", token))),
            "<" => stream.fates.push(fate(rest)),
            ":" | "h" | "d" | "t" => {
                let mark = mark.chars().next().expect("a mark");
                stream.steps.push((mark, unescaped(&rest.replace("{token}", token))));
            }
            "" | "#" => {}
            other => panic!("a line of the corpus begins with {other:?}: {line}"),
        }
    }
    all
}

fn fate(text: &str) -> Fate {
    let (text, may_be_seen) = without(text, " in body");
    if text == "silence" {
        return Fate::Silence { may_be_seen };
    }
    if text == "reset" {
        return Fate::Reset { may_be_seen };
    }
    let (text, closes) = without(text, " closes");
    let (text, stays) = without(text, " stays");
    if let Ok(status) = text.parse() {
        return Fate::Answered { status, may_be_seen, closes: !stays && (closes || CLOSING.contains(&status)) };
    }
    let (text, may_be_refused) = without(text, " unless refused");
    let (text, is_signed_in) = without(text, " as ada");
    let (text, host) = text.rsplit_once("\" at ").map_or((text, "app.example"), |(text, host)| (text, host));
    let (method, rest) = text.split_once(' ').expect("a method");
    let (target, body) = rest.split_once(" \"").expect("a body in quotes");
    let (target, body) = (unescaped(target), unescaped(body.strip_suffix('"').unwrap_or(body)));
    let request = Request { method: method.to_owned(), target, body, host: host.to_owned(), is_signed_in, may_be_refused };
    Fate::Forwarded { request, closes }
}

fn without<'a>(text: &'a str, end: &str) -> (&'a str, bool) {
    text.strip_suffix(end).map_or((text, false), |text| (text, true))
}

/// `\r`, `\x7f`, `\(3*ab)` and the like as the bytes that they stand for.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend(plain.bytes());
        rest = match escape.split_at(1) {
            ("x", more) => {
                bytes.push(u8::from_str_radix(&more[..2], 16).expect("two digits"));
                &more[2..]
            }
            ("(", more) => {
                let (count, more) = more.split_once('*').expect("a count");
                let (what, more) = more.split_once(')').expect("an end");
                bytes.extend(unescaped(what).repeat(count.parse().expect("a number")));
                more
            }
            (letter, more) => {
                bytes.push(byte(letter));
                more
            }
        };
    }
    bytes.extend(rest.bytes());
    bytes
}

fn byte(letter: &str) -> u8 {
    match letter {
        "r" => b'\r',
        "n" => b'\n',
        "t" => b'\t',
        "0" => 0,
        "\\" => b'\\',
        "\"" => b'"',
        other => panic!("no escape: {other}"),
    }
}

#[test]
fn the_corpus_is_read_as_its_head_says() {
    let text = "# words\n= one\n> GET /\\x41 HTTP/1.1\n>\n| a\\0{token}\\(2*xy)\n< 400 in body\n\n= two\n< POST /\\\" \"a\\r\" at b:1 as ada unless refused closes\n< silence\n";
    let all = read(text, "T");
    assert_eq!(all.iter().map(|stream| stream.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(all[0].bytes, b"GET /A HTTP/1.1\r\n\r\na\0Txyxy");
    assert_eq!(all[0].fates, [Fate::Answered { status: 400, may_be_seen: true, closes: true }]);
    let request = Request {
        method: "POST".into(),
        target: b"/\"".to_vec(),
        body: b"a\r".to_vec(),
        host: "b:1".into(),
        is_signed_in: true,
        may_be_refused: true,
    };
    assert_eq!(all[1].fates, [Fate::Forwarded { request, closes: true }, Fate::Silence { may_be_seen: false }]);
}
