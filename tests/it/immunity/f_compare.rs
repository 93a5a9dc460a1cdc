//! F 68: what is secret is compared in constant time, and how long a refusal takes says nothing of how near a guess was.

use std::hint::black_box;
use std::time::{Duration, Instant};

use doorward::secret;
use http::Method;

use crate::flow::place::{Place, Wants};
use crate::support::alike::kolmogorov_smirnov;

/// authentik compared the key of its metrics with `==`.
#[test]
fn cve_2024_52307_how_much_of_a_secret_is_right_does_not_show_in_the_time() {
    // Long enough for a comparison that ends at the first difference to be a hundred times as fast.
    let right = vec![b'a'; 1 << 20];
    let (mut first, mut last) = (right.clone(), right.clone());
    first[0] = b'b';
    last[(1 << 20) - 1] = b'b';
    let time = |other: &[u8]| {
        let begun = Instant::now();
        assert!(!black_box(secret::same(black_box(&right), black_box(other))));
        begun.elapsed()
    };

    let pairs: Vec<(Duration, Duration)> = (0..200).map(|_| (time(&first), time(&last))).collect();

    // What else the machine does only makes it slower: the fastest of each is what the comparison takes.
    let (at_first, at_last) = (pairs.iter().map(|pair| pair.0).min().unwrap(), pairs.iter().map(|pair| pair.1).min().unwrap());
    assert!(at_last < at_first * 2 && at_first < at_last * 2, "{at_first:?} at the first byte, {at_last:?} at the last");
}

/// A whole key in which one character of the secret part is another: it names the same id and has the sum of its form.
fn with_another_at(key: &str, place: usize) -> String {
    let mut body = key[..69].to_owned();
    let at = 26 + place;
    let instead = if &body[at..=at] == "x" { "y" } else { "x" };
    body.replace_range(at..=at, instead);
    let sum: String = secret::fingerprint(&body).chars().filter(char::is_ascii_alphanumeric).take(6).collect();
    format!("{body}{sum}")
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_52307_how_much_of_a_key_is_right_does_not_show_in_the_time() {
    let place = Place::with(Wants::default()).await;
    let made = place.gateway.command(&["apikey", "create", "ci", "--scope", "route:wiki"]).1;
    let (known, person) = (made.trim_end(), place.person());
    let time = async |key: &str| {
        let begun = Instant::now();
        let reply = person.request(Method::GET, "/page").bearer(key).send().await;
        assert_eq!(reply.status, 401);
        begun.elapsed().as_secs_f64()
    };
    let (nothing, nearly_all) = (with_another_at(known, 0), with_another_at(known, 42));

    let (mut first, mut last) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        // In turn, so that whatever else happens here happens to both.
        first.push(time(&nothing).await);
        last.push(time(&nearly_all).await);
    }

    let (distance, probability) = kolmogorov_smirnov(&first, &last);
    assert!(probability > 1e-4, "they differ by {distance}, which happens by chance in {probability}");
    assert_eq!(place.upstream.count(), 0);
    assert_eq!(person.request(Method::GET, "/page").bearer(known).send().await.status, 200);
}
