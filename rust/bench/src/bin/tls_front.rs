//! TLS in front of a server that has none.
//!
//!     tls_front PORT CERTIFICATE.pem KEY.pem
//!
//! Prints the port of 127.0.0.1 that leads to PORT over TLS. Ends when its standard input is closed.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::sync::Arc;
use std::{env, io, process, thread};

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const BUFFER: usize = 64 << 10;

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [port, certificate, key] = &words[..] else { panic!("usage: tls_front PORT CERTIFICATE.pem KEY.pem") };
    let port: u16 = port.parse().expect("PORT");
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .expect("a file of certificates");
    let key = PrivateKeyDer::from_pem_file(key).expect("a file with a private key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .expect("a certificate that fits its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    thread::spawn(|| {
        // The end of the input or an error: the program that started this has ended, or has closed it.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // If a client goes away, in the handshake or later, only its own connection ends.
                let _ = serve(stream, &acceptor, port).await;
            });
        }
    })
}

async fn serve(stream: TcpStream, acceptor: &TlsAcceptor, port: u16) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut outside = acceptor.accept(stream).await?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut outside, &mut server, BUFFER, BUFFER).await?;
    Ok(())
}
