//! What was measured, and what of it is too slow.

use std::time::Instant;

/// The longest that the median of a page may take, in milliseconds.
const LONGEST: f64 = 100.0;

/// How often a page is asked for.
const TIMES: usize = 20;

/// Milliseconds: the median, and the worst.
#[derive(Clone, Copy)]
pub struct Took {
    pub median: f64,
    pub worst: f64,
}

/// What was found too slow.
#[derive(Default)]
pub struct Book {
    database: &'static str,
    pub failures: Vec<String>,
}

impl Book {
    /// From here on it is about this database.
    pub fn begin(&mut self, database: &'static str) {
        self.database = database;
        println!("{:<60} {:>9} {:>9}   ms, median and worst of {TIMES}", "", "first", "last");
    }

    /// The first and the last page of a listing.
    pub fn row(&mut self, what: &str, first: Took, last: Took) {
        println!("{what:<60} {:>9.2} {:>9.2}   {:.2} {:.2}", first.median, last.median, first.worst, last.worst);
        for (page, took) in [("first", first), ("last", last)] {
            if took.median > LONGEST {
                self.fail(&format!("{what}: {:.0} ms for the {page} page, in the median", took.median));
            }
        }
    }

    pub fn fail(&mut self, what: &str) {
        self.failures.push(format!("{}: {what}", self.database));
    }
}

/// The same work again and again.
pub async fn timed(work: impl AsyncFn()) -> Took {
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        work().await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    Took { median: took[TIMES / 2], worst: took[TIMES - 1] }
}
