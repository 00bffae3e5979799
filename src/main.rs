//! The one binary, `tenuto`.

fn main() {}
