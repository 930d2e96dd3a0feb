//! HTTP clients: one TLS stack (rustls over ring) under every one of them, and the time that a stranger's answer may take.

use std::sync::Once;

use reqwest::{Client, ClientBuilder};

/// A client's beginnings, for what speaks to the world: TLS by rustls with the system's certificates, through
/// the proxy that the operator's environment names, and no redirect followed (it is a stranger's wish for a request elsewhere).
pub fn outward() -> ClientBuilder {
    provide();
    Client::builder().redirect(reqwest::redirect::Policy::none())
}

/// The same for the loopback: nothing there speaks TLS, which spares reading the system's certificates, and no proxy is asked.
pub fn loopback() -> ClientBuilder {
    outward().tls_certs_only([]).no_proxy()
}

/// The process' cryptography, which libraries that speak TLS by themselves expect to find.
pub fn provide() {
    static ONCE: Once = Once::new();
    // Somebody else's choice, made before, is as good: there is only one in this program.
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}
