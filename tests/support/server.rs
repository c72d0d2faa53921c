//! An HTTP server in this process, on a port of its own.

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A port whose URL is known before its server starts.
pub(crate) struct Port {
    listener: TcpListener,
    url: String,
}

impl Port {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn serve(self, app: Router) -> Server {
        let listener = self.listener;
        Server(tokio::spawn(async move {
            axum::serve(listener, app).await.unwrap();
        }))
    }
}

/// Serves until it is dropped.
#[must_use]
pub(crate) struct Server(JoinHandle<()>);

impl Server {
    /// Stops it, and panics if it had stopped before.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        assert!((&mut self.0).await.unwrap_err().is_cancelled());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}
