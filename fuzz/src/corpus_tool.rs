//! What `cargo xtask fuzz` needs besides the engine: the list of targets, and corpora in and out of their archives.
#![allow(clippy::print_stdout, reason = "a command line tool talks to its user")]

use std::error::Error;
use std::path::Path;

/// Bytes of all inputs of a packed corpus together.
const CORPUS_LEN_MAX: usize = 32 << 10;

const USAGE: &str = "usage: ekv-fuzz-corpus (list | unpack TARGET DIRECTORY | pack TARGET DIRECTORY)";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["list"] => {
            for target in ekv_fuzz::targets::ALL {
                println!("{} {}", target.name, target.len_max);
            }
        }
        ["unpack", name, directory] => {
            let count = ekv_fuzz::corpus::unpack(target(name)?, Path::new(directory))?;
            println!("{count} inputs to begin with");
        }
        ["pack", name, directory] => {
            let count = ekv_fuzz::corpus::pack(target(name)?, Path::new(directory), CORPUS_LEN_MAX)?;
            println!("{count} inputs kept");
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

fn target(name: &str) -> Result<&'static ekv_fuzz::Target, String> {
    ekv_fuzz::target(name).ok_or_else(|| format!("there is no target {name:?}"))
}
