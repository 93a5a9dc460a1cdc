//! How servers are documented to read a path: written from RFC 3986, the WHATWG URL standard and the manuals of nginx, Apache,
//! Node, Tomcat, Jetty, IIS and Python's servers, without a look at how Doorward does it.
//!
//! A server takes the path of a request, without its query, and gives what its app is asked for, or nothing where it refuses.

/// One server, in one of its settings.
#[derive(Clone, Copy)]
pub struct Server {
    pub name: &'static str,
    /// Does it take `/Admin` for `/admin`?
    pub is_blind_to_case: bool,
    pub reads: fn(&[u8]) -> Option<Vec<u8>>,
}

const fn server(name: &'static str, reads: fn(&[u8]) -> Option<Vec<u8>>) -> Server {
    Server { name, is_blind_to_case: false, reads }
}

const fn blind(name: &'static str, reads: fn(&[u8]) -> Option<Vec<u8>>) -> Server {
    Server { name, is_blind_to_case: true, reads }
}

/// All of them.
pub const SERVERS: &[Server] = &[
    server("one that takes it as it came", |path| Some(path.to_vec())),
    server("RFC 3986, normalised (6.2.2)", |path| Some(rfc3986(path))),
    server("nginx", nginx),
    server("nginx, merge_slashes off", nginx_unmerged),
    server("Apache 2.4", |path| apache(path, Encoded::Refused, true)),
    server("Apache 2.4, AllowEncodedSlashes On", |path| apache(path, Encoded::Decoded, true)),
    server("Apache 2.4, AllowEncodedSlashes NoDecode", |path| apache(path, Encoded::Kept, true)),
    server("Apache 2.4, MergeSlashes Off", |path| apache(path, Encoded::Decoded, false)),
    server("Apache 2.2", apache_old),
    blind("Apache on Windows", |path| Some(windows(&apache(path, Encoded::Decoded, true)?))),
    server("Node, new URL()", |path| Some(whatwg(path))),
    server("Node, new URL() and decodeURIComponent", |path| unescape(&whatwg(path), Escapes::Must, b"")),
    server("Node, new URL() and decodeURI", |path| unescape(&whatwg(path), Escapes::Must, b";/?:@&=+$,#")),
    server("Node, url.parse()", |path| Some(node_legacy(path))),
    server("Node, url.parse() and decodeURIComponent", |path| unescape(&node_legacy(path), Escapes::Must, b"")),
    blind("Express, segment by segment", |path| unescape(path, Escapes::Must, b"/")),
    server("Express' static files", |path| Some(posix_normalised(&unescape(path, Escapes::Must, b"")?))),
    blind("Express' static files on Windows", |path| Some(windows(&posix_normalised(&backslashed(&unescape(path, Escapes::Must, b"")?))))),
    server("Tomcat", |path| tomcat(path, Encoded::Refused)),
    server("Tomcat, encodedSolidusHandling=decode", |path| tomcat(path, Encoded::Decoded)),
    server("Tomcat, encodedSolidusHandling=passthrough", |path| tomcat(path, Encoded::Kept)),
    server("Tomcat, allowBackslash", tomcat_backslash),
    blind("Tomcat on Windows", |path| Some(windows(&tomcat(path, Encoded::Decoded)?))),
    server("Jetty 9", jetty),
    server("Jetty 9, compactPath", |path| Some(merged(&jetty(path)?))),
    server("Jetty 12", |path| without_dots(&parameters_off(&unescape(path, Escapes::Must, b"/")?), Root::Floor)),
    server("Spring, normalised and decoded", |path| {
        unescape(&merged(&without_dots(&parameters_off(path), Root::Floor)?), Escapes::Must, b"")
    }),
    server("Python, gunicorn", |path| unescape(path, Escapes::May, b"")),
    server("Python, uvicorn", |path| Some(replaced(&unescape(path, Escapes::May, b"")?))),
    server("Python, wsgiref", wsgiref),
    server("Python, werkzeug", |path| Some(merged(&unescape(path, Escapes::May, b"")?))),
    server("Python, http.server's files", python_files),
    server("Python, urlsplit()", python_urlsplit),
    server("Python, urlparse()", |path| Some(last_parameters_off(&python_urlsplit(path)?))),
    server("Python, unquote_plus()", |path| Some(blanks_off(&pluses(&unescape(path, Escapes::May, b"")?)))),
    server("Twisted and Tornado, segment by segment", |path| unescape(path, Escapes::May, b"/")),
    server("Go, ServeMux", |path| Some(posix_normalised(&unescape(path, Escapes::Must, b"")?))),
    server("Ruby, Rack", |path| Some(posix_normalised(&unescape(path, Escapes::May, b"")?))),
    server("PHP, urldecode()", |path| Some(pluses(&unescape(path, Escapes::May, b"")?))),
    server("a file API in C", |path| Some(until(&unescape(path, Escapes::May, b"")?, b"\0"))),
    server("a rewrite that decodes and parses again", |path| Some(until(&unescape(path, Escapes::May, b"")?, b"?#"))),
    blind("IIS", |path| Some(windows(&unescape(&four_digits(path), Escapes::May, b"")?))),
    blind("IIS 5, before MS01-026", |path| Some(windows(&unescape(&unescape(path, Escapes::May, b"")?, Escapes::May, b"")?))),
    blind("IIS 5, before MS00-078", |path| Some(windows(&lenient_utf8(&unescape(path, Escapes::May, b"")?)))),
    blind("a Windows that climbs by more dots", |path| {
        without_dots(&more_dots(&backslashed(&unescape(path, Escapes::May, b"")?)), Root::Floor)
    }),
    blind("a file system that is blind to width and case", compatible),
];

/// A path as a proxy writes it after it has decoded it.
pub fn escaped(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in path {
        if byte.is_ascii_graphic() && !b"?#%".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

// === RFC 3986

/// §6.2.2.2: escapes of unreserved characters are decoded; §5.2.4: dot segments go.
fn rfc3986(path: &[u8]) -> Vec<u8> {
    remove_dot_segments(&unescape_only(path, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)))
}

/// §5.2.4, with its two buffers, step by step.
fn remove_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut input = path.to_vec();
    let mut output: Vec<u8> = Vec::new();
    while !input.is_empty() {
        if input.starts_with(b"../") {
            input.drain(..3);
        } else if input.starts_with(b"./") || input.starts_with(b"/./") {
            input.drain(..2);
        } else if input == b"/." {
            input = b"/".to_vec();
        } else if input.starts_with(b"/../") || input == b"/.." {
            input = if input == b"/.." { b"/".to_vec() } else { input[3..].to_vec() };
            let cut = output.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            output.truncate(cut);
        } else if input == b"." || input == b".." {
            input.clear();
        } else {
            let end = input.iter().skip(1).position(|byte| *byte == b'/').map_or(input.len(), |at| at + 1);
            output.extend(input.drain(..end));
        }
    }
    output
}

// === nginx: ngx_http_parse_complex_uri, as its manual describes `location`: decoded, dots resolved, adjacent slashes merged

fn nginx(path: &[u8]) -> Option<Vec<u8>> {
    without_dots(&merged(&unescape(path, Escapes::Must, b"")?), Root::Wall)
}

fn nginx_unmerged(path: &[u8]) -> Option<Vec<u8>> {
    without_dots(&unescape(path, Escapes::Must, b"")?, Root::Wall)
}

// === Apache: normalised with unreserved characters decoded (2.4.49 on), then decoded

fn apache(path: &[u8], slashes: Encoded, is_merging: bool) -> Option<Vec<u8>> {
    let merge = |path: Vec<u8>| if is_merging { merged(&path) } else { path };
    let early = unescape_only(path, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let normal = without_dots(&merge(early), Root::Wall)?;
    let decoded = slashes.unescape(&normal)?;
    without_dots(&merge(decoded), Root::Wall)
}

fn apache_old(path: &[u8]) -> Option<Vec<u8>> {
    without_dots(&merged(&Encoded::Refused.unescape(path)?), Root::Floor)
}

// === Node

/// The path state of the URL standard, with `http://h` as base: a backslash is a slash, `//x` is a host.
fn whatwg(path: &[u8]) -> Vec<u8> {
    let is_blank = |byte: &u8| *byte <= b' ';
    let first = path.iter().position(|byte| !is_blank(byte)).unwrap_or(path.len());
    let last = path.iter().rposition(|byte| !is_blank(byte)).map_or(first, |at| at + 1);
    let text: Vec<u8> = path[first..last].iter().copied().filter(|byte| !b"\t\n\r".contains(byte)).collect();
    let mut text = backslashed(&until(&text, b"?#"));
    if text.starts_with(b"//") {
        let host = text.iter().position(|byte| *byte != b'/').unwrap_or(text.len());
        let rest = text[host..].iter().position(|byte| *byte == b'/').map(|at| host + at);
        text = rest.map_or_else(|| b"/".to_vec(), |at| text[at..].to_vec());
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let segments: Vec<&[u8]> = text.split(|byte| *byte == b'/').skip(1).collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        let plain = String::from_utf8_lossy(segment).to_lowercase().replace("%2e", ".");
        if plain == ".." {
            kept.pop();
        }
        if plain == "." || plain == ".." {
            if is_last {
                kept.push(b"");
            }
            continue;
        }
        kept.push(segment);
    }
    [b"/".as_slice(), &kept.join(&b'/')].concat()
}

/// `url.parse`: backslashes before the query are slashes, blanks around it go; dots stay.
fn node_legacy(path: &[u8]) -> Vec<u8> {
    backslashed(&until(path.trim_ascii(), b"?#"))
}

// === Java

/// `CoyoteAdapter`: parameters go before anything is decoded, then `RequestUtil.normalize`.
fn tomcat(path: &[u8], slashes: Encoded) -> Option<Vec<u8>> {
    let decoded = slashes.unescape(&parameters_off(path))?;
    (!decoded.contains(&b'\\')).then_some(())?;
    without_dots(&merged(&decoded), Root::Wall)
}

fn tomcat_backslash(path: &[u8]) -> Option<Vec<u8>> {
    without_dots(&merged(&backslashed(&unescape(&parameters_off(path), Escapes::Must, b"")?)), Root::Wall)
}

/// `URIUtil.decodePath` and `canonicalPath`: `%uXXXX` too, parameters off while it decodes.
fn jetty(path: &[u8]) -> Option<Vec<u8>> {
    without_dots(&unescape(&four_digits(&parameters_off(path)), Escapes::Must, b"")?, Root::Wall)
}

fn parameters_off(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut is_parameter = false;
    for byte in path {
        is_parameter = if *byte == b'/' { false } else { is_parameter || *byte == b';' };
        if !is_parameter {
            out.push(*byte);
        }
    }
    out
}

// === Python

/// `http.server` takes several slashes at the beginning for one; `wsgiref` decodes.
fn wsgiref(path: &[u8]) -> Option<Vec<u8>> {
    let first = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
    let path = if first > 1 { [b"/".as_slice(), &path[first..]].concat() } else { path.to_vec() };
    unescape(&path, Escapes::May, b"")
}

/// `SimpleHTTPRequestHandler.translate_path`: the slash at the end stays where it was written as one.
fn python_files(path: &[u8]) -> Option<Vec<u8>> {
    let path = until(path, b"?#");
    let normal = posix_normalised(&replaced(&unescape(&path, Escapes::May, b"")?));
    let bare = if normal.len() > 1 { normal.strip_suffix(b"/").unwrap_or(&normal) } else { b"" };
    let last = if path.ends_with(b"/") || bare.is_empty() { b"/".as_slice() } else { b"" };
    Some([bare, last].concat())
}

/// `errors="replace"`.
fn replaced(path: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(path).into_owned().into_bytes()
}

/// `urlsplit`: tabs and newlines go, `//x` is a host.
fn python_urlsplit(path: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = path.iter().copied().filter(|byte| !b"\t\n\r".contains(byte)).collect();
    let Some(rest) = text.strip_prefix(b"//") else { return Some(until(&text, b"?#")) };
    let start = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    Some(until(&rest[start..], b"?#")).filter(|path| !path.is_empty()).or_else(|| Some(b"/".to_vec()))
}

/// RFC 2396 knew parameters at the last segment alone.
fn last_parameters_off(path: &[u8]) -> Vec<u8> {
    let last = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let end = path[last..].iter().position(|byte| *byte == b';').map_or(path.len(), |at| last + at);
    path[..end].to_vec()
}

// === Windows

/// `RtlDosPathNameToNtPathName`: backslashes are slashes, several are one, dots and blanks at the end of a name are nothing.
fn windows(path: &[u8]) -> Vec<u8> {
    let names = merged(&backslashed(path));
    let trimmed = names.split(|byte| *byte == b'/').map(|name| {
        let bare = name.iter().rposition(|byte| *byte != b' ').map_or(&b""[..], |last| &name[..=last]);
        if bare == b"." || bare == b".." {
            return bare.to_vec();
        }
        name.iter().rposition(|byte| !b" .".contains(byte)).map_or_else(Vec::new, |last| name[..=last].to_vec())
    });
    let trimmed: Vec<Vec<u8>> = trimmed.collect();
    without_dots(&merged(&trimmed.join(&b'/')), Root::Floor).unwrap_or_default()
}

/// `...` is two up.
fn more_dots(path: &[u8]) -> Vec<u8> {
    let climb = |name: &[u8]| {
        let is_climb = name.len() > 2 && name.iter().all(|byte| *byte == b'.');
        if is_climb { vec![b"..".as_slice(); name.len() - 1].join(&b'/') } else { name.to_vec() }
    };
    path.split(|byte| *byte == b'/').map(climb).collect::<Vec<_>>().join(&b'/')
}

/// `%uXXXX`.
fn four_digits(path: &[u8]) -> Vec<u8> {
    let text: String = path.iter().map(|byte| char::from(*byte)).collect();
    let mut pieces = text.split("%u");
    let mut out: Vec<u8> = pieces.next().unwrap_or_default().chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    for piece in pieces {
        let value = piece.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let letter = value.and_then(|digits| char::from_u32(u32::from_str_radix(digits, 16).unwrap()));
        let rest = if let Some(letter) = letter {
            out.extend(letter.to_string().bytes());
            &piece[4..]
        } else {
            out.extend(b"%u");
            piece
        };
        out.extend(rest.chars().map(|letter| u8::try_from(letter).unwrap()));
    }
    out
}

/// A decoder that adds six bits a byte and never asks whether fewer bytes would have done.
fn lenient_utf8(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let lead = path[at];
        let more = match lead {
            0xC0..=0xDF => 1,
            0xE0..=0xEF => 2,
            0xF0..=0xF7 => 3,
            _ => 0,
        };
        let trail = path.get(at + 1..=at + more).filter(|trail| more > 0 && trail.iter().all(|byte| (0x80..0xC0).contains(byte)));
        let Some(trail) = trail else {
            out.push(lead);
            at += 1;
            continue;
        };
        let first = u32::from(lead) & (0x3F >> more);
        let value = trail.iter().fold(first, |value, byte| value * 64 + u32::from(byte & 0x3F));
        out.extend(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER).to_string().bytes());
        at += more + 1;
    }
    out
}

/// Decoded, NFKC, upper case.
fn compatible(path: &[u8]) -> Option<Vec<u8>> {
    use unicode_normalization::UnicodeNormalization;
    let text = String::from_utf8(unescape(path, Escapes::May, b"")?).ok()?;
    Some(text.nfkc().collect::<String>().to_uppercase().into_bytes())
}

// === what several of them do

/// What becomes of an escape that is none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// The request is refused.
    Must,
    /// It stands for itself.
    May,
}

/// What becomes of `%2f`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoded {
    Refused,
    Decoded,
    Kept,
}

impl Encoded {
    fn unescape(self, path: &[u8]) -> Option<Vec<u8>> {
        let has_slash = String::from_utf8_lossy(path).to_lowercase().contains("%2f");
        match self {
            Self::Refused if has_slash => None,
            Self::Refused | Self::Decoded => unescape(path, Escapes::Must, b""),
            Self::Kept => unescape(path, Escapes::Must, b"/"),
        }
    }
}

/// What becomes of `..` at the root.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    /// The request is refused.
    Wall,
    /// Nothing.
    Floor,
}

fn hex(path: &[u8], at: usize) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let value = digit(path.get(at + 1)?)? * 16 + digit(path.get(at + 2)?)?;
    u8::try_from(value).ok()
}

/// Decoded once, but for escapes of `kept`.
fn unescape(path: &[u8], escapes: Escapes, kept: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < path.len() {
        match hex(path, at).filter(|_| path[at] == b'%') {
            Some(byte) if !kept.contains(&byte) => {
                out.push(byte);
                at += 3;
                continue;
            }
            None if path[at] == b'%' && escapes == Escapes::Must => return None,
            Some(_) | None => {}
        }
        out.push(path[at]);
        at += 1;
    }
    Some(out)
}

/// Escapes of some characters decoded, the others as they were.
fn unescape_only(path: &[u8], is_decoded: fn(u8) -> bool) -> Vec<u8> {
    let all: Vec<u8> = (0..=255).filter(|byte| !is_decoded(*byte)).collect();
    unescape(path, Escapes::May, &all).expect("nothing is refused")
}

fn merged(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for byte in path {
        if *byte != b'/' || out.last() != Some(&b'/') {
            out.push(*byte);
        }
    }
    out
}

fn without_dots(path: &[u8], root: Root) -> Option<Vec<u8>> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut is_open = false;
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        is_open = matches!(segment, b"." | b"..");
        if segment == b".." && kept.pop().is_none() && root == Root::Wall {
            return None;
        }
        if !is_open {
            kept.push(segment);
        }
    }
    if is_open {
        kept.push(b"");
    }
    Some([b"/".as_slice(), &kept.join(&b'/')].concat())
}

/// `posixpath.normpath`, `path.posix.normalize`, `path.Clean`; a slash at the end stays.
fn posix_normalised(path: &[u8]) -> Vec<u8> {
    let mut out = without_dots(&merged(path), Root::Floor).expect("there is a floor");
    if out.len() > 1 && out.ends_with(b"/") && !path.ends_with(b"/") {
        out.pop();
    }
    out
}

fn backslashed(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

fn pluses(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect()
}

fn blanks_off(path: &[u8]) -> Vec<u8> {
    path.split(|byte| *byte == b'/').map(<[u8]>::trim_ascii).collect::<Vec<_>>().join(&b'/')
}

fn until(path: &[u8], ends: &[u8]) -> Vec<u8> {
    path.iter().copied().take_while(|byte| !ends.contains(byte)).collect()
}
