//! Asks a server on 127.0.0.1 whether it is ready.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use super::{
    server::{Native, Probe, Server},
    site::{self, Site},
};

const TIMEOUT: Duration = Duration::from_secs(2);
/// Health answers are a few hundred bytes; more is not one.
const MAX_ANSWER: u64 = 64 * 1024;

/// What stands at a server's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The server, ready.
    Ready,
    /// Something else, or the server while it starts.
    Other,
    /// Nothing.
    Nothing,
}

/// Asks once.
pub(crate) fn ask(site: &Site, server: &Server) -> Answer {
    let port = site.port(server).unwrap_or_default();
    match server.probe {
        Probe::Installed { file } => {
            let is_complete = match server.native {
                Native::SoftHsm => site::softhsm_module().is_some(),
                Native::Library { .. } => site::library(server).is_some(),
                _ => true,
            };
            let ready = site.folder(server).join(file).exists() && is_complete;
            if ready { Answer::Ready } else { Answer::Nothing }
        }
        Probe::Port => match connect(port) {
            Some(_) => Answer::Ready,
            None => Answer::Nothing,
        },
        Probe::PortAndFile { file } => match connect(port) {
            None => Answer::Nothing,
            Some(_) if site.folder(server).join(file).exists() => Answer::Ready,
            Some(_) => Answer::Other,
        },
        Probe::Http { path, says } => match connect(port) {
            None => Answer::Nothing,
            Some(stream) => match http(stream, path) {
                Some(answer) if answer.starts_with("HTTP/1.1 200") && answer.contains(says) => {
                    Answer::Ready
                }
                _ => Answer::Other,
            },
        },
    }
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream =
        TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    Some(stream)
}

/// The whole answer to one GET.
fn http(mut stream: TcpStream, path: &str) -> Option<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, net::TcpListener, path::Path, thread};

    use super::*;

    fn server(port: u16, probe: Probe) -> Server {
        Server {
            name: "test",
            purpose: "test",
            port: Some(port),
            probe,
            native: Native::DockerOnly,
            image: None,
            instead_of: None,
            variables: &[],
            native_files: &[],
            lies: &[],
        }
    }

    fn answered(reply: &'static str) -> Answer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(reply.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let probe = Probe::Http { path: "/health", says: "\"up\"" };
        let answer = ask(&Site::at(Path::new("."), 0), &server(port, probe));
        assert!(peer.join().unwrap().starts_with("GET /health HTTP/1.1\r\n"));
        answer
    }

    #[test]
    fn ready_is_200_with_the_servers_own_words() {
        assert_eq!(answered("HTTP/1.1 200 OK\r\n\r\n{\"up\":1}"), Answer::Ready);
        assert_eq!(answered("HTTP/1.1 200 OK\r\n\r\nanother server"), Answer::Other);
        assert_eq!(answered("HTTP/1.1 503 Unavailable\r\n\r\n{\"up\":1}"), Answer::Other);
        assert_eq!(answered(""), Answer::Other);
    }

    #[test]
    fn an_open_port_without_the_file_is_another_server() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let site = Site::at(folder.path(), 0);
        let server =
            server(listener.local_addr().unwrap().port(), Probe::PortAndFile { file: "ca.pem" });
        assert_eq!(ask(&site, &server), Answer::Other);
        fs::create_dir_all(site.folder(&server)).unwrap();
        fs::write(site.folder(&server).join("ca.pem"), "").unwrap();
        assert_eq!(ask(&site, &server), Answer::Ready);
        drop(listener);
        assert_eq!(ask(&site, &server), Answer::Nothing);
    }

    #[test]
    fn a_library_is_ready_once_its_installation_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::at(folder.path(), 0);
        let mut library = server(0, Probe::Installed { file: "installed" });
        library.native = Native::Npm { packages: &[] };
        assert_eq!(ask(&site, &library), Answer::Nothing);
        fs::create_dir_all(site.folder(&library)).unwrap();
        fs::write(site.folder(&library).join("installed"), "").unwrap();
        assert_eq!(ask(&site, &library), Answer::Ready);
    }

    #[test]
    fn a_closed_port_is_nothing() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(ask(&Site::at(Path::new("."), 0), &server(port, Probe::Port)), Answer::Nothing);
    }
}
