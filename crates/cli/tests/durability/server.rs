//! The real binary as a child process.

use ringback_server::testing;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

/// A running `ringback serve`, killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) at: SocketAddr,
}

impl Server {
    /// Starts it on a free port over the data directory in `dir`, and waits until it listens.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_ringback")), dir)
    }

    /// Starts it by a command that ends where the binary's arguments begin.
    pub(crate) fn run(mut command: Command, dir: &Path) -> Self {
        let secret = dir.join("secret");
        std::fs::write(&secret, testing::secret().bytes()).unwrap();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(dir.join("data"));
        command.arg("--secret-file").arg(secret).env("NO_COLOR", "1");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (found, address) = mpsc::channel();
        drain(child.stdout.take().unwrap(), found.clone());
        drain(child.stderr.take().unwrap(), found);
        let at = address.recv_timeout(Duration::from_secs(60)).expect("the server says where it listens");
        Self { child, at }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what the server says to its end, and gives on the first loopback address with a port.
fn drain(from: impl Read + Send + 'static, found: Sender<SocketAddr>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let ports = line.split("127.0.0.1:").skip(1);
            let digits = ports.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or(""));
            if let Some(port) = digits.filter_map(|text| text.parse::<u16>().ok()).find(|port| *port != 0) {
                let _ = found.send(([127, 0, 0, 1], port).into());
            }
        }
    });
}
