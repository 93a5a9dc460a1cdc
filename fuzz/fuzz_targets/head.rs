//! The reader of heads and chunked bodies: what it accepts, the framework's own parser reads with the same fields and the same
//! framing, wherever the bytes were cut on their way.

#![no_main]

use doorward::gateway::fuzzing::{Body, chunked, head};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let found = head(bytes, 0);
    let Some((length, body)) = found else { return };
    assert_eq!(head(&bytes[..length], 0), found, "what follows a head changes nothing in it");
    assert!((0..length).step_by(7).all(|cut| head(&bytes[..cut], 0).is_none()), "a part of a head is no head");
    assert_eq!(head(bytes, length / 2), found, "nor does it matter how it was cut");

    let lines = bytes[..length].split(|byte| *byte == b'\n').count() - 3;
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => assert_eq!(end, length, "the head ends elsewhere"),
        Ok(httparse::Status::Partial) => panic!("the head is not whole"),
        // What the framework refuses is not forwarded.
        Err(_) => return,
    }
    assert_eq!(request.headers.len(), lines, "a line is a field");
    same_framing(&request, body);
    if body == Body::Chunked {
        chunks(&bytes[length..]);
    }
});

/// RFC 9112 §6.3, by the fields as they were parsed there.
fn same_framing(request: &httparse::Request<'_, '_>, body: Body) {
    let all = |name: &str| {
        let fields = request.headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        fields.map(|field| std::str::from_utf8(field.value).unwrap_or("?").trim()).collect::<Vec<_>>()
    };
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    assert!(all("host").len() < 2, "two hosts");
    assert!(lengths.is_empty() || codings.is_empty(), "two framings");
    match body {
        Body::Chunked => {
            assert!(codings.len() == 1 && codings[0].eq_ignore_ascii_case("chunked"), "{codings:?}");
            assert_eq!(request.version, Some(1), "chunks in HTTP/1.0");
        }
        Body::Length(length) => {
            assert!(codings.is_empty() && lengths.len() < 2, "{codings:?} {lengths:?}");
            let said = lengths.first().map_or(0, |text| text.parse::<u64>().expect("a number"));
            assert_eq!(said, length);
        }
        Body::Tunnel => {
            assert!(codings.is_empty() && lengths.is_empty());
            assert!(all("upgrade").iter().any(|protocol| protocol.eq_ignore_ascii_case("websocket")));
        }
    }
}

/// The end of a chunked body is where a reader that sees all of it at once finds it.
fn chunks(bytes: &[u8]) {
    let at_once = chunked(bytes, bytes.len());
    for piece in [1, 2, 3, 7] {
        assert_eq!(chunked(bytes, piece), at_once, "in pieces of {piece}");
    }
    let Some((taken, true)) = at_once else { return };
    assert_eq!(Some(taken), end_of_chunks(bytes), "the body ends elsewhere");
}

/// RFC 9112 §7.1, line by line.
fn end_of_chunks(bytes: &[u8]) -> Option<usize> {
    let line = |from: usize| Some(from + bytes.get(from..)?.windows(2).position(|two| two == b"\r\n")?);
    let mut at = 0;
    loop {
        let end = line(at)?;
        let text =
            std::str::from_utf8(&bytes[at..end]).map_or_else(|error| std::str::from_utf8(&bytes[at..at + error.valid_up_to()]), Ok).ok()?;
        let digits = text.find(|letter: char| !letter.is_ascii_hexdigit()).map_or(text, |stop| &text[..stop]);
        let size = usize::from_str_radix(digits, 16).ok()?;
        at = end + 2;
        if size == 0 {
            break;
        }
        at = at.checked_add(size)?;
        assert_eq!(bytes.get(at..at + 2), Some(b"\r\n".as_slice()), "a chunk ends in its middle");
        at += 2;
    }
    loop {
        let end = line(at)?;
        if end == at {
            return Some(end + 2);
        }
        at = end + 2;
    }
}
