//! The blocks that are not run, each with its reason.

const GCLOUD: &str = "the Google Cloud CLI is not on PyPI, and needs a project";
const AZ: &str = "the Azure CLI takes minutes to install, and needs a subscription";
const SERVER: &str = "the suite has started the server";
const STOP: &str = "other tests use the servers";
const SYSTEM: &str = "installs packages of the system; the suite has installed them";
const SUITE: &str = "this is what runs the suites";
const AGENT: &str = "needs the agent of a counterparty; `tests/https.rs` resolves one";
const REAL: &str = "needs an account at the service";

/// The page, how the block begins, and why it is not run.
pub(super) const LEFT_OUT: &[(&str, &str, &str)] = &[
    ("README.md", "cargo xtask demo", "the suite `demo` plays it"),
    ("README.md", "cargo xtask test", SUITE),
    ("docs/backends/azure-key-vault.md", "az keyvault create", AZ),
    ("docs/backends/azure-key-vault.md", "az role assignment create", AZ),
    ("docs/backends/azure-key-vault.md", "cargo xtask emulators up fake-azure-key-vault", SUITE),
    ("docs/backends/gcp-kms.md", "gcloud services enable", GCLOUD),
    ("docs/backends/gcp-kms.md", "gcloud iam service-accounts create", GCLOUD),
    ("docs/backends/gcp-kms.md", "cargo xtask emulators up fake-gcp-kms", SUITE),
    ("docs/backends/pkcs11.md", "apt-get install", SYSTEM),
    ("docs/backends/vault-transit.md", "bao write auth/kubernetes", "needs a Kubernetes cluster"),
    ("docs/command-line.md", "adcp-signing keygen --key 'awskms:", REAL),
    ("docs/command-line.md", "adcp-signing resolve", AGENT),
    ("docs/interop.md", "cargo xtask interop", SUITE),
    ("docs/laptop.md", "cargo xtask emulators up openbao", SERVER),
    ("docs/laptop.md", "cargo xtask emulators up ministack", SERVER),
    ("docs/laptop.md", "cargo xtask emulators down", STOP),
    ("docs/releasing.md", "ADCP_SIGNING_COMMIT=", "a release build takes ten minutes"),
    ("docs/rotation.md", "KID=$(az keyvault key create", AZ),
    ("docs/rotation.md", "az keyvault key set-attributes", AZ),
    ("docs/rotation.md", "gcloud kms keys versions create", GCLOUD),
    ("docs/rotation.md", "gcloud kms keys versions disable", GCLOUD),
    ("docs/testing.md", "cargo xtask test  ", SUITE),
    ("docs/testing.md", "cargo install --locked cargo-mutants", "a run takes hours"),
    ("docs/testing.md", "cargo xtask test --only vault-transit", SUITE),
    ("docs/testing.md", "cargo xtask emulators up openbao", SUITE),
    ("docs/testing.md", "cargo xtask emulators up --docker", "only Docker has this server"),
    ("docs/testing.md", "export ADCP_TEST_AZURE_KEY_VAULT_URL", REAL),
];

/// The entry for a block of this page, and the reason; nothing where it is run.
pub(super) fn entry(page: &str, commands: &str) -> Option<(usize, &'static str)> {
    let mut entries = LEFT_OUT.iter().enumerate();
    let found = entries.find(|(_, (of, begins, _))| *of == page && commands.starts_with(begins));
    found.map(|(at, (.., reason))| (at, *reason))
}
