//! The short cut for plain paths beside the long way, as the fuzz targets compare them; nothing else does.

use super::{Place, Refusal, Table};

/// The name of the route under which `path` falls on `host`, which is in its canonical form: by the short cut where there is
/// one, and by all readings.
pub fn both_ways(table: &Table, host: &str, path: &str) -> [Result<Option<String>, Refusal>; 2] {
    let place = Place { candidates: table.candidates(host), prefix: table.prefix() };
    let long = place.look_up(path.as_bytes(), super::Case::Exact).and_then(|raw| place.all_agree(path, raw));
    [place.agreed(path), long].map(|found| found.map(|found| found.map(|found| found.route.name.clone())))
}
