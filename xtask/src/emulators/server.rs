//! What the table says of a server.

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
    /// The server whose variables it sets to values of its own: the same tests run against the one
    /// or the other, and against that one where both are up.
    pub(crate) instead_of: Option<&'static str>,
    /// What the tests read. `{port}` and `{dir}` (the server's own folder) are filled in, and
    /// `{address}` in arguments and environments.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// Variables that name a file of the native installation; set where the file is there.
    /// `{target}` is the build's folder.
    pub(crate) native_files: &'static [(&'static str, &'static str)],
    /// Where it answers otherwise than the service does.
    pub(crate) lies: &'static [Lie],
}

/// How a server shows that it is ready.
#[derive(Clone, Copy)]
pub(crate) enum Probe {
    /// `GET path` answers 200 with this text in the body, which also tells the server from another
    /// on its port.
    Http {
        /// The path.
        path: &'static str,
        /// A part of the body.
        says: &'static str,
    },
    /// Docker's health check says it; from here only the open port can be seen.
    Port,
    /// The port is open, and this file of the server's folder is there, which it writes first: what
    /// speaks TLS cannot be asked without it.
    PortAndFile {
        /// A file in the server's folder.
        file: &'static str,
    },
    /// A library is installed: this file is there.
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
        /// A program of the virtual environment, and its arguments; empty for a library.
        command: &'static [&'static str],
        /// Its environment.
        environment: &'static [(&'static str, &'static str)],
    },
    /// Packages from npm in a `node_modules` of their own: a library.
    Npm {
        /// Pinned packages.
        packages: &'static [&'static str],
    },
    /// Debian's `softhsm2`, with a token in the server's folder.
    SoftHsm,
    /// A library of a Debian package: no server.
    Library {
        /// The package.
        package: &'static str,
        /// Where Debian and others put it.
        places: &'static [&'static str],
    },
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
    /// A command in the container that succeeds when it is ready.
    pub(crate) health: &'static [&'static str],
    /// The Dockerfile of an image that no registry has.
    pub(crate) build: Option<&'static str>,
    /// Whether the server's folder is mounted at [`SHARED`].
    pub(crate) shares_folder: bool,
    /// How the suite `compose` makes the image where none can be pulled.
    pub(crate) stand_in: StandIn,
}

/// Where a container finds its server's folder.
pub(crate) const SHARED: &str = "/shared";

/// How an image is made without a registry.
pub(crate) enum StandIn {
    /// From what the native start installs.
    Native,
    /// From a package of Debian.
    Debian {
        /// The package.
        package: &'static str,
        /// Starts the server, by the shell.
        start: &'static str,
    },
    /// Not at all.
    None,
}

/// One difference between a server and the service.
pub(crate) struct Lie {
    /// What it does otherwise.
    pub(crate) what: &'static str,
    /// Why, and what the tests do about it.
    pub(crate) so: &'static str,
}

impl Image {
    /// Fills the placeholders in, as the container sees them.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("{address}", "0.0.0.0")
            .replace("{port}", &self.port.to_string())
            .replace("{dir}", SHARED)
    }
}

impl Server {
    /// Whether `up` starts it without being asked by name. Peers are no servers by themselves.
    pub(crate) fn usual(&self) -> bool {
        let starts = match self.native {
            Native::Python { command, .. } => !command.is_empty(),
            Native::SoftHsm | Native::Workspace { .. } => true,
            Native::Library { .. }
            | Native::Npm { .. }
            | Native::Go { .. }
            | Native::DockerOnly => false,
        };
        starts && self.present()
    }

    /// Whether this workspace has it; a server from elsewhere always is.
    pub(crate) fn present(&self) -> bool {
        match self.native {
            Native::Workspace { package, program, .. } => process::has_program(package, program),
            _ => true,
        }
    }
}
