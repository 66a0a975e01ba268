//! TLS and mutual TLS: who gets in, who does not, and certificates that change while calls are made.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use crate::exchange::{Client, Running, ask, hourly_model, in_time, request, series};
use crate::run::{Folder, wave};

/// Who signs.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
struct Signed {
    certificate: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, purpose: ExtendedKeyUsagePurpose, is_expired: bool) -> Signed {
        let mut params = CertificateParams::new(vec!["localhost".to_string()]).unwrap();
        params.extended_key_usages = vec![purpose];
        if is_expired {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Signed { certificate, key: key.serialize_pem() }
    }

    fn for_server(&self) -> Signed {
        self.sign(ExtendedKeyUsagePurpose::ServerAuth, false)
    }

    fn for_client(&self) -> Signed {
        self.sign(ExtendedKeyUsagePurpose::ClientAuth, false)
    }
}

/// A channel that trusts these authorities and shows this certificate.
async fn connect(
    address: SocketAddr,
    trusted: &[&Authority],
    identity: Option<&Signed>,
) -> Result<Channel, tonic::transport::Error> {
    let mut tls = ClientTlsConfig::new().domain_name("localhost");
    for authority in trusted {
        tls = tls.ca_certificate(Certificate::from_pem(&authority.pem));
    }
    if let Some(Signed { certificate, key }) = identity {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let endpoint = Channel::from_shared(format!("https://localhost:{}", address.port())).unwrap();
    in_time(endpoint.tls_config(tls).unwrap().connect()).await
}

/// Whether a forecast comes through: a client learns of a refusal at its first call at the latest.
async fn is_served(address: SocketAddr, trusted: &[&Authority], identity: Option<&Signed>) -> bool {
    let Ok(channel) = connect(address, trusted, identity).await else { return false };
    ask(&mut Client::new(channel), request(&series("load", wave(100, 1)))).await.is_ok()
}

async fn started(folder: &Folder, server: &Signed, client_ca: Option<&Authority>, reload: &str) -> Running {
    folder.write("server.pem", &server.certificate);
    folder.write("server.key", &server.key);
    let path = |name: &str| folder.join(name).display().to_string();
    let (certificate, key, ca) = (path("server.pem"), path("server.key"), path("clients.pem"));
    let mut settings = vec![
        ("tls.certificate", certificate.as_str()),
        ("tls.key", key.as_str()),
        ("tls.reload", reload),
        ("server.host", "127.0.0.1"),
    ];
    if let Some(authority) = client_ca {
        folder.write("clients.pem", &authority.pem);
        settings.push(("tls.client_ca", ca.as_str()));
    }
    Running::with(&[("load", &hourly_model())], &settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_certificate_is_trusted_by_who_knows_its_authority() {
    let folder = Folder::new("tls");
    let (authority, stranger) = (Authority::new("ours"), Authority::new("other"));
    let running = started(&folder, &authority.for_server(), None, "10s").await;
    assert!(is_served(running.address, &[&authority], None).await);
    assert!(!is_served(running.address, &[&stranger], None).await);
    // Without TLS nothing comes through.
    let plain = Channel::from_shared(format!("http://{}", running.address)).unwrap();
    if let Ok(channel) = in_time(plain.connect()).await {
        ask(&mut Client::new(channel), request(&series("load", wave(100, 1)))).await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutual_tls_lets_in_whom_the_authority_has_signed_and_nobody_else() {
    let folder = Folder::new("mtls");
    let (authority, clients, stranger) =
        (Authority::new("ours"), Authority::new("clients"), Authority::new("other"));
    let running = started(&folder, &authority.for_server(), Some(&clients), "10s").await;
    let is_served =
        async |identity: Option<&Signed>| is_served(running.address, &[&authority], identity).await;
    assert!(is_served(Some(&clients.for_client())).await);
    for (who, refused) in [
        ("nobody", None),
        ("a stranger", Some(stranger.for_client())),
        ("one whose time is over", Some(clients.sign(ExtendedKeyUsagePurpose::ClientAuth, true))),
        ("a server", Some(clients.sign(ExtendedKeyUsagePurpose::ServerAuth, false))),
    ] {
        assert!(!is_served(refused.as_ref()).await, "{who} was let in");
    }
    assert!(is_served(Some(&clients.for_client())).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_change_under_load_and_no_call_fails() {
    let folder = Folder::new("swap");
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let running = started(&folder, &old.for_server(), None, "100ms").await;
    let address = running.address;
    assert!(is_served(address, &[&old], None).await && !is_served(address, &[&new], None).await);

    let (old, new) = (Arc::new(old), Arc::new(new));
    let is_over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (old, new, is_over) = (Arc::clone(&old), Arc::clone(&new), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut n = 0;
                while !is_over.load(Ordering::Relaxed) {
                    // A connection of its own, and a few calls on it.
                    let channel = connect(address, &[&old, &new], None).await.unwrap();
                    for _ in 0..3 {
                        let asked = request(&series("load", wave(100, 1)));
                        ask(&mut Client::new(channel.clone()), asked).await.unwrap();
                        n += 1;
                    }
                }
                n
            })
        })
        .collect();
    // The certificate and the key change one after the other, as files do, with a broken one in between.
    let next = new.for_server();
    folder.write("server.pem", "nothing");
    tokio::time::sleep(Duration::from_millis(250)).await;
    folder.write("server.pem", &next.certificate);
    tokio::time::sleep(Duration::from_millis(250)).await;
    folder.write("server.key", &next.key);
    in_time(async {
        while !is_served(address, &[&new], None).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(in_time(caller).await.unwrap() > 0);
    }
    assert!(!is_served(address, &[&old], None).await, "the old certificate is still shown");
}
