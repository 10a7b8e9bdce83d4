//! `tls = { ... }` of a listener → the files of its certificate.
//!
//! ```text
//!  certificate_file ─┐                                  ┌─▶ receive::tls::Config
//!  key_file ─────────┼─▶ readable? PEM? do they fit? ───┤
//!  client_ca_file ───┘                                  └─▶ fingerprint of all contents: a reload sees a renewal
//! ```
//!
//! Each file is read once, here: a listener is given what they hold.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::files;
use super::reader::Reader;
use super::secret::Secret;
use crate::packet::Transport;
use crate::receive::tls::{ClientAuth, Config, Pem};

const CERTIFICATE: &str = "listener.tls.certificate_file";
const KEY: &str = "listener.tls.key_file";
const CLIENT_CA: &str = "listener.tls.client_ca_file";

/// Stands for the content of all TLS files of a listener together, in what a reload compares. It is no key of the file.
pub(super) const CONTENT: &str = "listener.tls.content";

/// The certificate of a listener with transport `tls`.
pub(super) fn resolve(reader: &mut Reader<'_>, transport: Transport) -> Option<Config> {
    if transport != Transport::Tls {
        refuse(reader, transport);
        return None;
    }
    let mut contents = Sha256::new();
    let problems_before = reader.findings.problems.len();
    let certificate = pem(reader, CERTIFICATE, &mut contents);
    let key = pem(reader, KEY, &mut contents);
    let client_ca = pem(reader, CLIENT_CA, &mut contents);
    let fingerprint: Vec<String> = contents
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let shown = reader.shown(CONTENT);
    reader
        .findings
        .effective
        .note_masked(shown, Secret::new(fingerprint.concat()));
    // A file that is wrong is a problem already; what stands here is for those that do not go together.
    let (certificate, key) = (certificate?, key?);
    let client_auth = client_ca.map_or(ClientAuth::None, |ca| ClientAuth::Required { ca });
    if reader.findings.problems.len() > problems_before {
        return None;
    }
    Config::new(&certificate, &key, &client_auth)
        .map_err(|error| {
            reader.problem_text(
                CERTIFICATE,
                error.to_string(),
                "correct these files, then run `check` again",
            );
        })
        .ok()
}

fn refuse(reader: &mut Reader<'_>, transport: Transport) {
    let set = [CERTIFICATE, KEY, CLIENT_CA]
        .into_iter()
        .find(|key| reader.is_set(key));
    if let Some(key) = set.filter(|_| !reader.is_broken()) {
        let text = format!(
            "certificates are for transport \"tls\", this listener has \"{}\"",
            transport.as_str()
        );
        reader.problem_text(
            key,
            text,
            "write transport = \"tls\", or take the tls settings out",
        );
    }
}

/// A PEM file. What it holds is looked at here too, so that files which were exchanged for each other are named.
fn pem(reader: &mut Reader<'_>, path: &str, contents: &mut Sha256) -> Option<Pem> {
    let (wanted, marker) = match path {
        KEY => ("private key", "PRIVATE KEY-----"),
        _ => ("certificate", "BEGIN CERTIFICATE-----"),
    };
    let Some(file) = reader.text(path) else {
        if path != CLIENT_CA {
            let name = path.rsplit('.').next().unwrap_or(path);
            let text =
                format!("transport \"tls\" needs the file of a {wanted}, and {name} is not set");
            let advice =
                "add tls = { certificate_file = \"/...\", key_file = \"/...\" } to this listener";
            reader.problem_text(path, text, advice);
        }
        return None;
    };
    reader.note(path, &file);
    if !file.starts_with('/') {
        let advice = "write the whole path: a service has no working folder of its own";
        let expected = "the path of a file, starting with /";
        reader.problem(path, expected, &format!("{file:?}"), advice);
        return None;
    }
    let octets = match files::read(Path::new(file), reader.findings.deadline) {
        Err(error) => {
            reader.problem_text(
                path,
                format!("cannot read {file}: {error}"),
                files::advice(&error),
            );
            return None;
        }
        Ok(kept) => {
            contents.update(kept.bytes.len().to_be_bytes());
            contents.update(&kept.bytes);
            if memchr::memmem::find(&kept.bytes, marker.as_bytes()).is_none() {
                let advice = format!("name a PEM file that has a line with {marker}");
                reader.problem(
                    path,
                    &format!("a {wanted} in PEM"),
                    &format!("none in {file}"),
                    advice,
                );
            }
            if path == KEY && kept.is_world_readable() {
                let (at, shown) = (reader.place(path), reader.shown(path));
                let text = format!(
                    "every user of this host can read the private key in {file}; run chmod o= {file}"
                );
                reader.findings.warn(&at, &shown, text);
            }
            kept.bytes
        }
    };
    Some(Pem {
        path: PathBuf::from(file),
        octets,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    #[test]
    fn certificate_and_key_may_be_pipes_since_each_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["br17".to_owned()]).unwrap();
        let pipes = [
            ("chain.pem", made.cert.pem()),
            ("key.pem", made.signing_key.serialize_pem()),
        ];
        let writing = pipes.map(|(name, text)| {
            let path = folder.path().join(name);
            let made = std::process::Command::new("mkfifo").arg(&path).status();
            assert!(made.expect("mkfifo").success());
            thread::spawn(move || fs::write(path, text))
        });
        let text = format!(
            "[[listener]]\nname = \"t\"\ntransport = \"tls\"\ntls = {{ certificate_file = {:?}, key_file = {:?} }}\n",
            folder.path().join("chain.pem"),
            folder.path().join("key.pem")
        );
        let config = super::super::parse(&text, "host").expect("certificate and key fit");
        assert!(config.listeners[0].tls.is_some());
        for writer in writing {
            writer.join().unwrap().unwrap();
        }
    }
}
