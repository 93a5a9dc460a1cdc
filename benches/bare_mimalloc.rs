//! The bare proxy with Doorward's allocator, for `path.rs`: an allocator is chosen when a program is built.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench ends at the first surprise")]

#[path = "path/bare.rs"]
mod bare;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    // `cargo bench` alone runs every bench: without a role there is nothing to do.
    if args.get(1).is_some_and(|role| role == "bare") {
        bare::serve(&args[2], args[3].parse().unwrap());
    }
}
