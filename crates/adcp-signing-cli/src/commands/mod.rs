//! The commands, one file each.

mod canonicalize;
mod demo;
mod explain;
mod jwks;
mod keygen;
mod probe;
#[cfg(feature = "https")]
mod resolve;
mod sign;
mod vectors;
mod verify;

use std::{
    fs::File,
    io::{Read, Write as _, stdin, stdout},
    path::Path,
    process::ExitCode,
};

use crate::{
    args::{Command, ProfileArgs, StreamArgs, command as command_line},
    failure::Failure,
    http_file, input,
    output::{self, outln},
    shapes::{Input, Message, Selector},
    version,
};
use adcp_signing::json;

/// Runs a command to its exit code.
pub(crate) async fn run(command: Command, verbose: bool) -> Result<ExitCode, Failure> {
    match command {
        Command::Demo(args) => demo::run(&args).await,
        Command::Keygen(args) => keygen::run(&args).await,
        Command::Jwks(args) => jwks::run(&args).await,
        Command::Probe(args) => probe::run(&args).await,
        Command::Sign(args) => sign::run(&args).await,
        Command::Verify(args) => verify::run(&args).await,
        Command::Explain(args) => explain::run(&args).await,
        #[cfg(feature = "https")]
        Command::Resolve(args) => resolve::run(&args).await,
        Command::Canonicalize(args) => canonicalize::run(&args).await,
        Command::Vectors(args) => vectors::run(&args, verbose),
        Command::Keys => {
            outln!("{}", version::key_uris());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { out } => {
            let failed =
                |error: std::io::Error| Failure::invalid(format!("{}: {error}", out.display()));
            std::fs::create_dir_all(&out).map_err(failed)?;
            clap_mangen::generate_to(command_line(), &out).map_err(failed)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            // Into memory first: the generator panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command_line(), "adcp-signing", &mut script);
            output::written(stdout().write_all(&script));
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl ProfileArgs {
    fn selector(&self) -> Selector {
        Selector {
            kind: self.kind.clone(),
            profile: self.profile.clone(),
            contract: self.contract.clone(),
        }
    }
}

/// The lines of `--ndjson`: a file, or standard input.
fn ndjson_source(stream: &StreamArgs) -> Result<Box<dyn Read>, Failure> {
    match stream.file.as_deref() {
        None => Ok(Box::new(stdin())),
        Some(path) if path == Path::new("-") => Ok(Box::new(stdin())),
        Some(path) => match File::open(path) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(Failure::invalid(format!("{}: {error}", path.display()))),
        },
    }
}

/// Reads one message: a JSON object, or a message file, which is for the newest profile unless
/// `profile` says otherwise.
fn read_one<T: for<'de> serde::Deserialize<'de> + Default>(
    stream: &StreamArgs,
    profile: &ProfileArgs,
) -> Result<Input<T>, Failure> {
    let read = input::read(stream.file.as_deref())?;
    let bytes = json::without_bom(&read);
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Input::from_json(input::text(bytes)?);
    }
    let message: Message = http_file::parse(bytes)?;
    let selector = profile.selector().or_newest();
    Ok(Input { selector, message, options: T::default() })
}
