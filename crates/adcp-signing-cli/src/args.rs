//! The command line's grammar.

use std::{fmt::Write as _, path::PathBuf};

use adcp_signing::{Algorithm, KeyPurpose};
use clap::{
    ArgGroup, Args as ClapArgs, CommandFactory as _, Parser, Subcommand, ValueEnum,
    builder::PossibleValuesParser, value_parser,
};
use clap_complete::Shell;

use crate::{published::Place, version};

/// Sign and verify Ad Context Protocol requests and webhooks (RFC 9421).
#[derive(Debug, Parser)]
#[command(
    name = "adcp-signing",
    version,
    long_version = version::long(),
    arg_required_else_help = true,
    after_help = EXIT_CODES
)]
pub(crate) struct Args {
    /// Shows on standard error what the library reports, and every vector.
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0  done, and every message was signed and accepted
  1  a message was refused or is unsigned, or a vector failed
  2  the input or an option cannot be used
  3  a key could not be used, or is not ready";

/// The variable of the environment that stands for `--key`.
const KEY: &str = "ADCP_SIGNING_KEY";
/// The options that name a key.
const KEY_HEADING: &str = "Key";
/// The options that decide over a message.
const VERIFICATION: &str = "Verification";
/// How long a call to a key may take, in seconds.
const TIMEOUT: u16 = 10;
/// Every latency is kept until the end.
const MAX_SIGNATURES: i64 = 1_000_000;
/// More in flight says nothing about a key service that one process would ever see.
const MAX_CONCURRENCY: i64 = 256;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Signs a message with a key made on the spot, and shows everything a deployment needs.
    #[command(after_help = "Examples:
  adcp-signing demo examples/create_media_buy.http
  adcp-signing demo --kind webhook examples/webhook.http")]
    Demo(DemoArgs),
    /// Makes a key: in a key service, or in a file that only its owner can read.
    #[command(after_help = "Examples:
  adcp-signing keygen --key 'awskms:///alias/adcp/buyer?region=eu-west-1' --jwks jwks.json
  adcp-signing keygen --kid buyer-2026 --out buyer.jwk --jwks jwks.json
  adcp-signing keygen --print-commands 'awskms:///alias/adcp/buyer?region=eu-west-1'")]
    Keygen(KeygenArgs),
    /// Prints or writes the public JWKS of keys, ready to publish; adds, removes and lists keys.
    #[command(after_help = "Examples:
  adcp-signing jwks --key file:buyer.jwk --out jwks.json
  adcp-signing jwks --key 'openbao://buyer?version=1&kid=buyer-1' \\
      --key 'openbao://buyer?version=2&kid=buyer-2' --out jwks.json
  adcp-signing jwks add --in jwks.json --key 'openbao://buyer?version=3&kid=buyer-3'")]
    Jwks(JwksArgs),
    /// Signs with a key for real, and checks everything that a cut-over depends on.
    #[command(after_help = "Examples:
  adcp-signing probe --allow-in-process-keys --key file:buyer.jwk --jwks jwks.json --count 100
  adcp-signing probe --key 'awskms:///alias/adcp/buyer?kid=buyer-2026' \\
      --jwks https://buyer.example/jwks.json

Exit codes:
  0  every check passed
  2  the key URI, a file or an option cannot be used
  3  the key could not be opened, or a check failed: the line says what to do")]
    Probe(ProbeArgs),
    /// Signs a message and prints it with its signature.
    #[command(after_help = "Examples:
  adcp-signing sign --allow-in-process-keys --key file:buyer.jwk examples/create_media_buy.http
  adcp-signing sign --key 'openbao://buyer?version=1&kid=buyer-1' --format curl MESSAGE.http | sh
  adcp-signing sign --ndjson < messages.ndjson")]
    Sign(SignArgs),
    /// Verifies a message and names who signed it.
    #[command(after_help = "Examples:
  adcp-signing verify --jwks jwks.json signed.http
  adcp-signing verify --ndjson < messages.ndjson")]
    Verify(VerifyArgs),
    /// Shows the signature base and every step of a verification, for debugging interoperability.
    #[command(after_help = "Example:\n  adcp-signing explain --jwks jwks.json signed.http")]
    Explain(VerifyArgs),
    /// Finds the keys of an agent by its URL, and shows each step: capabilities, brand.json, JWKS.
    #[cfg(feature = "https")]
    #[command(after_help = "Examples:
  adcp-signing resolve https://buyer.example.com/mcp
  adcp-signing resolve --purpose webhook_signing --json https://seller.example.com/mcp

Exit codes:
  0  the keys were found
  1  the documents of the agent and its operator do not lead to its keys: the line says why
  2  the URL or an option cannot be used
  3  a document could not be fetched; try again")]
    Resolve(ResolveArgs),
    /// Prints the canonical target URI and authority of URLs.
    #[command(after_help = "Examples:
  adcp-signing canonicalize HTTPS://Seller.Example:443/a/../b
  adcp-signing canonicalize --ndjson < urls.ndjson")]
    Canonicalize(CanonicalizeArgs),
    /// Runs folders of signing vectors.
    #[command(after_help = "Example:\n  adcp-signing vectors test-vectors/adcp test-vectors/own")]
    Vectors(VectorsArgs),
    /// Shows every form of key URI.
    #[command(after_help = version::key_uris())]
    Keys,
    /// Writes the man pages of all commands to a folder.
    #[command(after_help = "Example:\n  adcp-signing man --out ~/.local/share/man/man1")]
    Man {
        /// The folder, which is made if it is missing.
        #[arg(long, short, value_name = "DIR")]
        out: PathBuf,
    },
    /// Prints a completion script for a shell.
    #[command(after_help = "Example:\n  adcp-signing completions bash > adcp-signing.bash")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// The commands by what they are for. A command that is in no group is not shown.
const GROUPS: [(&str, &[&str]); 3] = [
    ("Keys", &["keygen", "jwks", "probe", "resolve", "keys"]),
    ("Messages", &["sign", "verify", "explain", "canonicalize", "demo"]),
    ("Tests and tools", &["vectors", "completions", "man"]),
];

/// The grammar, whose help has the commands in groups.
pub(crate) fn command() -> clap::Command {
    let command = Args::command();
    let styles = command.get_styles();
    let (header, literal) = (*styles.get_header(), *styles.get_literal());
    let mut list = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(list, "\n{header}{group}:{header:#}");
        for sub in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(list, "  {literal}{:<12}{literal:#}  {about}", sub.get_name());
        }
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{list}\n\
         {header}Options:{header:#}\n{{options}}{{after-help}}"
    ))
}

/// The purposes that AdCP defines.
fn purposes() -> PossibleValuesParser {
    KeyPurpose::KNOWN.iter().map(KeyPurpose::as_str).into()
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// An HTTP message file.
    pub(crate) file: PathBuf,
    /// request or webhook; request unless said otherwise.
    #[arg(long)]
    pub(crate) kind: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(group(ArgGroup::new("place").required(true).args(["out", "key", "print_commands"])))]
pub(crate) struct KeygenArgs {
    /// ed25519 (EdDSA) or ecdsa-p256-sha256 (ES256); ed25519 by default, where the key service has it.
    #[arg(long, value_parser = algorithm)]
    pub(crate) alg: Option<Algorithm>,
    /// What the key is for, the JWK member adcp_use.
    #[arg(long, default_value = "request-signing", value_parser = purposes())]
    pub(crate) purpose: String,
    /// The key's name; its RFC 7638 thumbprint by default.
    #[arg(long)]
    pub(crate) kid: Option<String>,
    /// Where the private JWK goes; an existing file is never overwritten. `-` is standard output,
    /// for a program that stores it.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Makes the key of this URI in its service, where there is none, and prints the URI to use.
    #[arg(long, value_name = "URI", conflicts_with_all = ["kid", "purpose"])]
    pub(crate) key: Option<String>,
    /// Where the public JWKS goes, in place of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks: Option<PathBuf>,
    /// Makes no key, and prints the commands of the key service that make the key of this URI.
    #[arg(long, value_name = "URI", conflicts_with_all = ["jwks", "kid", "purpose"])]
    pub(crate) print_commands: Option<String>,
}

/// An algorithm that AdCP messages are signed with.
fn algorithm(name: &str) -> Result<Algorithm, String> {
    match Algorithm::from_name(name) {
        Some(algorithm @ (Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256)) => Ok(algorithm),
        _ => Err("write ed25519 (EdDSA) or ecdsa-p256-sha256 (ES256)".to_owned()),
    }
}

impl Command {
    /// Whether the answer is one JSON object, so that a failure is to be one too.
    pub(crate) fn answers_json(&self) -> bool {
        match self {
            Self::Probe(args) => args.json,
            Self::Sign(args) => args.stream.json || args.format == Format::Json,
            Self::Verify(args) | Self::Explain(args) => args.stream.json,
            #[cfg(feature = "https")]
            Self::Resolve(args) => args.json,
            Self::Canonicalize(args) => args.json,
            Self::Vectors(args) => args.json,
            Self::Demo(_)
            | Self::Keygen(_)
            | Self::Jwks(_)
            | Self::Keys
            | Self::Man { .. }
            | Self::Completions { .. } => false,
        }
    }
}

/// Keys named by URI.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = KEY_HEADING)]
pub(crate) struct KeyUriArgs {
    /// Takes file: and memory: keys, which are held in this process: development and tests.
    #[arg(long)]
    pub(crate) allow_in_process_keys: bool,
    /// How long opening a key, and each call to it, may take.
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT,
        value_parser = value_parser!(u16).range(1..=600))]
    pub(crate) timeout: u16,
}

impl Default for KeyUriArgs {
    fn default() -> Self {
        Self { allow_in_process_keys: false, timeout: TIMEOUT }
    }
}

#[cfg(feature = "https")]
#[derive(Debug, ClapArgs)]
pub(crate) struct ResolveArgs {
    /// The URL of the agent, which speaks MCP there.
    pub(crate) agent: String,
    /// What its keys are to verify: request_signing or webhook_signing.
    #[arg(long, value_name = "PURPOSE", default_value = "request_signing")]
    pub(crate) purpose: String,
    /// The AdCP contract: before 3.3, brand.json has 256 KiB at most and the URL of the agent as it
    /// is given.
    #[arg(long, value_name = "VERSION", default_value = "3.3.0")]
    pub(crate) contract: String,
    /// For development: this name is a server on this machine; may be given several times. All other
    /// names have to lead to public addresses.
    #[arg(long, value_name = "NAME")]
    pub(crate) loopback_host: Vec<String>,
    /// The answer as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct JwksArgs {
    #[command(subcommand)]
    pub(crate) edit: Option<JwksEdit>,
    /// A key URI; may be given several times. `adcp-signing help keys` has all forms.
    #[arg(long = "key", required = true, value_name = "URI", env = KEY, hide_env_values = true,
        help_heading = KEY_HEADING)]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) uri: KeyUriArgs,
    /// Where the JWKS goes, in place of standard output: the whole of it, or nothing is changed.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Changes to a JWKS in a file, made whole or not at all.
#[derive(Debug, Subcommand)]
pub(crate) enum JwksEdit {
    /// Adds the public keys of key URIs to a JWKS.
    #[command(after_help = "Example:
  adcp-signing jwks add --in jwks.json --key 'openbao://buyer?version=2&kid=buyer-2'")]
    Add(JwksAddArgs),
    /// Removes keys from a JWKS.
    #[command(after_help = "Example:
  adcp-signing jwks remove --in jwks.json --kid buyer-1")]
    Remove(JwksRemoveArgs),
    /// Lists the keys of a JWKS: kid, purpose, algorithm and thumbprint.
    #[command(after_help = "Example:
  adcp-signing jwks list --in jwks.json")]
    List(JwksListArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct JwksAddArgs {
    /// The JWKS, which is changed in place.
    #[arg(long = "in", value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// A key URI; may be given several times. `adcp-signing help keys` has all forms.
    #[arg(long = "key", required = true, value_name = "URI", env = KEY, hide_env_values = true,
        help_heading = KEY_HEADING)]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) uri: KeyUriArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct JwksRemoveArgs {
    /// The JWKS, which is changed in place.
    #[arg(long = "in", value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The name of a key; may be given several times.
    #[arg(long = "kid", required = true, value_name = "KID")]
    pub(crate) kids: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct JwksListArgs {
    /// The JWKS.
    #[arg(long = "in", value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ProbeArgs {
    /// The URI of the key; `adcp-signing help keys` has all forms.
    #[arg(long, value_name = "URI", env = KEY, hide_env_values = true,
        help_heading = KEY_HEADING)]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) uri: KeyUriArgs,
    /// The public key that the service must have: SPKI PEM or a JWK.
    #[arg(long, value_name = "FILE")]
    pub(crate) pin: Option<PathBuf>,
    /// The published JWKS that must hold the key. Of an https:// URL the server's clock is compared
    /// with this one; proxies and redirects are not used, and SSL_CERT_FILE names other CAs to
    /// trust than the system's.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) jwks: Option<Place>,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// How many signatures to make.
    #[arg(long, value_name = "N", default_value_t = 100,
        value_parser = value_parser!(u32).range(1..=MAX_SIGNATURES))]
    pub(crate) count: u32,
    /// How many of them to have under way at once.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = value_parser!(u16).range(1..=MAX_CONCURRENCY))]
    pub(crate) concurrency: u16,
    /// Answers with a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The profile of a message, where the message itself does not say it.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Profile")]
pub(crate) struct ProfileArgs {
    /// The wire version of the endpoint's profile: 3.0, 3.1, 3.2 or 3.3. Without it a message file
    /// and a probed key are for 3.2; JSON must say it. Of webhooks it picks the contract.
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// request or webhook; request unless said otherwise.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// The AdCP version, pre-releases included; the newest of the profile by default.
    #[arg(long, value_name = "VERSION")]
    pub(crate) contract: Option<String>,
}

/// Where messages come from and how answers are written.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Input and output")]
pub(crate) struct StreamArgs {
    /// An HTTP message file (.http) or a JSON object; `-` or nothing is standard input.
    pub(crate) file: Option<PathBuf>,
    /// Reads one JSON object a line and answers each with one line.
    #[arg(long)]
    pub(crate) ndjson: bool,
    /// Answers with a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a signed message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// An HTTP message file.
    Http,
    /// A JSON object.
    Json,
    /// A curl command.
    Curl,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    pub(crate) stream: StreamArgs,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// The URI of the key to sign with; `adcp-signing help keys` has all forms.
    #[arg(long, value_name = "URI", env = KEY, hide_env_values = true,
        help_heading = KEY_HEADING)]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) uri: KeyUriArgs,
    /// How the signed message is written: a message file, a JSON object as of --json, or a command
    /// that sends it.
    #[arg(long, value_enum, default_value_t = Format::Http, help_heading = "Input and output",
        conflicts_with_all = ["json", "ndjson"])]
    pub(crate) format: Format,
    /// Where it goes, in place of standard output: the whole of it, or nothing is changed.
    #[arg(
        long,
        short,
        value_name = "FILE",
        help_heading = "Input and output",
        conflicts_with = "ndjson"
    )]
    pub(crate) out: Option<PathBuf>,
    /// Seconds until the signature expires, 1 to 300.
    #[arg(long, value_name = "SECONDS", help_heading = "Signature")]
    pub(crate) expires_in: Option<i64>,
    /// Signs URLs that implementations canonicalize differently.
    #[arg(long, help_heading = "Signature")]
    pub(crate) allow_ambiguous_url: bool,
    /// Lets a line of --ndjson name its key by key_uri. A key URI is as trusted as this program: it
    /// can load code and send credentials.
    #[arg(long, requires = "ndjson", help_heading = KEY_HEADING)]
    pub(crate) allow_key_uri: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) stream: StreamArgs,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// The signer's published JWKS: a file, or an https:// URL.
    #[arg(long, value_name = "FILE|URL", help_heading = VERIFICATION)]
    pub(crate) jwks: Option<Place>,
    /// The request_signing capability of the endpoint.
    #[arg(long, value_name = "FILE", help_heading = VERIFICATION)]
    pub(crate) capability: Option<PathBuf>,
    /// How the message came: rest, mcp or a2a; rest unless said otherwise.
    #[arg(long, help_heading = VERIFICATION)]
    pub(crate) transport: Option<String>,
    /// The AdCP operation that the route of a REST endpoint is for; read from the last segment of
    /// the path unless said otherwise.
    #[arg(long, help_heading = VERIFICATION)]
    pub(crate) operation: Option<String>,
    /// The time of the verification in Unix seconds; now by default.
    #[arg(long, value_name = "SECONDS", help_heading = VERIFICATION)]
    pub(crate) now: Option<i64>,
    /// Another authenticator accepts a credential of the message. It stands for the caller, not
    /// for a signature: --allow-unsigned accepts such a message.
    #[arg(long, help_heading = VERIFICATION)]
    pub(crate) fallback_valid: bool,
    /// Accepts a message that no signature authenticates, where the capability does. Without this,
    /// only a signed message is a success.
    #[arg(long, help_heading = VERIFICATION)]
    pub(crate) allow_unsigned: bool,
    /// Keeps one replay store for all lines of --ndjson.
    #[arg(long, requires = "ndjson", help_heading = VERIFICATION)]
    pub(crate) shared_replay: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CanonicalizeArgs {
    /// The URLs.
    pub(crate) urls: Vec<String>,
    /// The wire version of the profile; 3.2 unless said otherwise.
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// The AdCP version; the newest of the profile by default.
    #[arg(long, value_name = "VERSION")]
    pub(crate) contract: Option<String>,
    /// Reads one JSON object a line and answers each with one line.
    #[arg(long)]
    pub(crate) ndjson: bool,
    /// Answers with a JSON object a URL.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VectorsArgs {
    /// Folders or files of vectors.
    #[arg(required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// The AdCP version, in place of the one that the folder names say.
    #[arg(long, value_name = "VERSION")]
    pub(crate) contract: Option<String>,
    /// Answers with one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}
