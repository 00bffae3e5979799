//! The upper bounds of histograms. Few, because each is a series for every label set.

/// For requests, appends, batches and queries, in seconds.
pub const FAST: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// For orders and steps, which may wait for people and parcels, in seconds: from 10 ms to 30 days.
pub const SLOW: &[f64] = &[
    0.01,
    0.05,
    0.25,
    1.0,
    5.0,
    30.0,
    60.0,
    300.0,
    900.0,
    3600.0,
    21_600.0,
    86_400.0,
    259_200.0,
    604_800.0,
    2_592_000.0,
];

/// For the number of things that are done together.
pub const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];
