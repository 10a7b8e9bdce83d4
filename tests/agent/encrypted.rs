//! TLS to the broker: certificates of either side, passwords and tokens over it. What is wrong is named while messages
//! are taken and kept, and when it is put right they are delivered without a restart of the agent.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::kafka::{OwnBroker, quiet_port};
use crate::support::load::{Load, Sent, total};
use crate::support::settings::{Listener, Settings};
use crate::support::tally::assert_nothing_missing;
use crate::support::wait::wait_until;

/// How long a test waits for a certificate or a password to be noticed: the client's pauses grow to some seconds.
const NOTICED: Duration = Duration::from_secs(90);

const LOAD: Load<'_> = Load {
    devices: &["r1", "r2"],
    per_second: 300,
    filling_bytes: 0,
};

/// Who signs.
type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

/// How long a certificate is good.
#[derive(Clone, Copy, PartialEq)]
enum Validity {
    Good,
    Expired,
}

/// Certificate and key in one text, as Kafka reads them from a PEM keystore.
fn signed(authority: &Authority, name: &str, validity: Validity) -> String {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    if validity == Validity::Expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    format!("{}{}", key.serialize_pem(), certificate.pem())
}

/// A broker with one door for the agent, whose files stand in a folder of the test. Tests themselves come by another.
struct Guarded {
    own: OwnBroker,
    folder: TempDir,
    /// The guarded door.
    address: String,
}

impl Guarded {
    /// `protocol` is SSL, SASL_SSL or SASL_PLAINTEXT; `more` are further settings of the broker.
    fn absent(protocol: &str, more: &[&str]) -> Guarded {
        let port = quiet_port();
        let folder = TempDir::new().expect("a temporary folder");
        let file = |name: &str| folder.path().join(name).display().to_string();
        let mut settings = vec![format!("listener=AGENT:{protocol}:{port}")];
        if protocol.ends_with("SSL") {
            settings.extend([
                "listener.name.agent.ssl.keystore.type=PEM".to_owned(),
                format!(
                    "listener.name.agent.ssl.keystore.location={}",
                    file("broker.pem")
                ),
                "listener.name.agent.ssl.truststore.type=PEM".to_owned(),
                format!(
                    "listener.name.agent.ssl.truststore.location={}",
                    file("clients-ca.pem")
                ),
            ]);
        }
        settings.extend(more.iter().map(|text| (*text).to_owned()));
        Guarded {
            own: OwnBroker::absent_with(&settings),
            address: format!("127.0.0.1:{port}"),
            folder,
        }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("the folder takes it");
        path
    }

    /// Starts the broker with a topic, and one for reports.
    fn start(&self, topic: &str) {
        let broker = self.own.start();
        broker.create(topic, &[]);
        broker.create("reports", &[]);
    }

    /// Has the broker take new files.
    fn restart(&self) {
        self.own.stop();
        self.own.start();
    }
}

/// The settings of an agent that comes by the guarded door with these options.
fn settings(guarded: &Guarded, topic: &str, spool: &TempDir, options: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::new(&guarded.address, vec![Listener::syslog_tcp()])
        .topic("syslog", topic)
        .reporting("reports")
        .on_disk(spool.path());
    let lines = options
        .iter()
        .map(|(key, value)| format!("{key:?} = {value:?}"));
    settings.more = format!("[kafka.options]\n{}", lines.collect::<Vec<_>>().join("\n"));
    settings
}

#[track_caller]
fn assert_named_while_receiving(agent: &Agent, words: &str) {
    agent.wait_until_named(words, NOTICED);
    let before = agent.ledger();
    assert_eq!(before.records("delivered"), 0);
    wait_until("messages are taken meanwhile", NOTICED, || {
        agent.ledger().records("accepted") > before.records("accepted") + 50
    });
}

#[track_caller]
fn assert_flowing(agent: &Agent) {
    wait_until("records are delivered", NOTICED, || {
        agent.ledger().records("delivered") > 100
    });
    wait_until("/readyz names nothing", NOTICED, || {
        agent.get("/readyz").body.contains("\"ready\"")
    });
}

/// Everything that was sent lies in the topic, and no secret in the log.
#[track_caller]
fn assert_ended_well(agent: Agent, guarded: &Guarded, topic: &str, sent: &Sent) {
    agent.wait_until_all_settled("syslog-tcp", total(sent), NOTICED);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.of_packets("delivered"), total(sent));
    let repeats = assert_nothing_missing(&guarded.own.broker(), topic, "reports", sent);
    println!("{} messages, {repeats} repeats", total(sent));
    assert!(!ended.log.contains("hunter2"), "a secret in the log");
}

#[test]
fn a_brokers_certificate_that_is_expired_unknown_or_of_another_name_is_named_and_a_right_one_heals()
{
    let guarded = Guarded::absent("SSL", &[]);
    let (ours, stranger) = (authority("ours"), authority("stranger"));
    let ca = guarded.write("ca.pem", &ours.pem());
    guarded.write("clients-ca.pem", &ours.pem());
    let serve = |authority, name, validity| {
        guarded.write("broker.pem", &signed(authority, name, validity));
    };
    serve(&ours, "127.0.0.1", Validity::Expired);
    guarded.start("tls");
    let spool = TempDir::new().expect("a temporary folder");
    let ca = ca.display().to_string();
    let options = [("security.protocol", "ssl"), ("ssl.ca.location", &ca)];
    let agent = Agent::start(&settings(&guarded, "tls", &spool, &options));
    let sent = LOAD.during(agent.listener("syslog-tcp"), |_| {
        assert_named_while_receiving(&agent, "TLS");
        serve(&stranger, "127.0.0.1", Validity::Good);
        guarded.restart();
        assert_named_while_receiving(&agent, "TLS");
        serve(&ours, "kafka.example.net", Validity::Good);
        guarded.restart();
        assert_named_while_receiving(&agent, "TLS");
        serve(&ours, "127.0.0.1", Validity::Good);
        guarded.restart();
        assert_flowing(&agent);
    });
    assert_ended_well(agent, &guarded, "tls", &sent);
}

#[test]
fn a_client_certificate_that_the_broker_does_not_know_is_named_until_it_does() {
    let guarded = Guarded::absent(
        "SSL",
        &[
            "listener.name.agent.ssl.client.auth=required",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            // The agent is known by its certificate alone.
            "super.users=User:ANONYMOUS;User:CN=branch17",
        ],
    );
    let (brokers, clients, others) = (
        authority("brokers"),
        authority("clients"),
        authority("others"),
    );
    guarded.write("broker.pem", &signed(&brokers, "127.0.0.1", Validity::Good));
    guarded.write("clients-ca.pem", &others.pem());
    guarded.start("mtls");
    let ca = guarded
        .write("ca.pem", &brokers.pem())
        .display()
        .to_string();
    let own = guarded.write("client.pem", &signed(&clients, "branch17", Validity::Good));
    let own = own.display().to_string();
    let spool = TempDir::new().expect("a temporary folder");
    let options = [
        ("security.protocol", "ssl"),
        ("ssl.ca.location", ca.as_str()),
        ("ssl.certificate.location", &own),
        ("ssl.key.location", &own),
    ];
    let agent = Agent::start(&settings(&guarded, "mtls", &spool, &options));
    let sent = LOAD.during(agent.listener("syslog-tcp"), |_| {
        assert_named_while_receiving(&agent, "TLS");
        guarded.write(
            "clients-ca.pem",
            &format!("{}{}", others.pem(), clients.pem()),
        );
        guarded.restart();
        assert_flowing(&agent);
    });
    assert_ended_well(agent, &guarded, "mtls", &sent);
}

#[test]
fn a_password_of_scram_512_over_tls_is_refused_by_name_until_it_is_right() {
    let guarded = Guarded::absent(
        "SASL_SSL",
        &[
            "sasl.enabled.mechanisms=SCRAM-SHA-512",
            "listener.name.agent.scram-sha-512.sasl.jaas.config=\
             org.apache.kafka.common.security.scram.ScramLoginModule required;",
        ],
    );
    let ours = authority("ours");
    guarded.write("broker.pem", &signed(&ours, "127.0.0.1", Validity::Good));
    let ca = guarded
        .write("clients-ca.pem", &ours.pem())
        .display()
        .to_string();
    guarded.start("scram");
    let password = |password: &str| {
        let credentials = format!("SCRAM-SHA-512=[password={password}]");
        let change = ["--alter", "--add-config", &credentials];
        let whom = ["--entity-type", "users", "--entity-name", "br17"];
        let arguments = [change.as_slice(), whom.as_slice()].concat();
        guarded.own.tool("kafka.admin.ConfigCommand", &arguments);
    };
    password("another");
    let spool = TempDir::new().expect("a temporary folder");
    let options = [
        ("security.protocol", "sasl_ssl"),
        ("ssl.ca.location", ca.as_str()),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "br17"),
        ("sasl.password", "hunter2"),
    ];
    let agent = Agent::start(&settings(&guarded, "scram", &spool, &options));
    let sent = LOAD.during(agent.listener("syslog-tcp"), |_| {
        assert_named_while_receiving(&agent, "authentication failed");
        password("hunter2");
        assert_flowing(&agent);
    });
    assert_ended_well(agent, &guarded, "scram", &sent);
}

#[test]
fn a_token_that_is_not_given_out_is_named_until_it_is() {
    let guarded = Guarded::absent(
        "SASL_PLAINTEXT",
        &[
            "sasl.enabled.mechanisms=OAUTHBEARER",
            // Tokens without a signature: Kafka's own way to test. Who may have one is what the endpoint decides.
            "listener.name.agent.oauthbearer.sasl.jaas.config=\
             org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
             unsecuredLoginStringClaim_sub=\"broker\";",
        ],
    );
    guarded.start("oauth");
    let tokens = Tokens::serve();
    let spool = TempDir::new().expect("a temporary folder");
    let options = [
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanism", "OAUTHBEARER"),
        ("sasl.oauthbearer.method", "oidc"),
        ("sasl.oauthbearer.client.id", "br17"),
        ("sasl.oauthbearer.client.secret", "hunter2"),
        ("sasl.oauthbearer.token.endpoint.url", &tokens.url),
    ];
    let agent = Agent::start(&settings(&guarded, "oauth", &spool, &options));
    let sent = LOAD.during(agent.listener("syslog-tcp"), |_| {
        assert_named_while_receiving(&agent, "authentication failed");
        tokens.are_given_out.store(true, Ordering::SeqCst);
        assert_flowing(&agent);
    });
    assert_ended_well(agent, &guarded, "oauth", &sent);
    // Base64 of `br17:hunter2`: client credentials, as RFC 6749, section 4.4.2, has them.
    assert!(tokens.was_asked_well.load(Ordering::SeqCst));
}

/// An OAuth server's token endpoint.
struct Tokens {
    url: String,
    are_given_out: Arc<AtomicBool>,
    was_asked_well: Arc<AtomicBool>,
}

impl Tokens {
    fn serve() -> Tokens {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let tokens = Tokens {
            url: format!("http://{address}/token"),
            are_given_out: Arc::default(),
            was_asked_well: Arc::default(),
        };
        let given = Arc::clone(&tokens.are_given_out);
        let asked = Arc::clone(&tokens.was_asked_well);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(
                    stream.expect("a connection"),
                    given.load(Ordering::SeqCst),
                    &asked,
                );
            }
        });
        tokens
    }
}

fn answer(mut stream: TcpStream, is_given: bool, asked: &AtomicBool) {
    let wait = Some(Duration::from_secs(5));
    stream.set_read_timeout(wait).expect("a time limit");
    let mut request = Vec::new();
    let mut bytes = [0; 4096];
    // The body may come behind the header.
    while !String::from_utf8_lossy(&request).contains("client_credentials") {
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(read) => request.extend_from_slice(&bytes[..read]),
        }
    }
    let request = String::from_utf8_lossy(&request);
    let is_asked_well = request.contains("Basic YnIxNzpodW50ZXIy");
    asked.fetch_or(is_asked_well, Ordering::SeqCst);
    let (status, body) = match is_given {
        true => (
            "200 OK",
            format!(
                "{{\"access_token\":\"{}\",\"token_type\":\"bearer\",\"expires_in\":3600}}",
                token()
            ),
        ),
        false => (
            "401 Unauthorized",
            "{\"error\":\"invalid_client\",\"error_description\":\"unknown\"}".to_owned(),
        ),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    // The client may be gone by now.
    let _ = stream.write_all(answer.as_bytes());
}

/// A JSON Web Token without a signature (RFC 7519, section 6).
fn token() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("a clock after 1970").as_secs();
    let claims = format!("{{\"sub\":\"br17\",\"iat\":{now},\"exp\":{}}}", now + 3600);
    format!(
        "{}.{}.",
        base64url(b"{\"alg\":\"none\"}"),
        base64url(claims.as_bytes())
    )
}

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for place in 0..=three.len() {
            let digit = DIGITS[bits >> (18 - 6 * place) & 63];
            text.push(char::from(digit));
        }
    }
    text
}
