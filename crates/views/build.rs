//! Migrations are compiled in: a new file in their folder has to be noticed.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
