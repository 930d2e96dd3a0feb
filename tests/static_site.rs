//! A folder as a service: `teal static` under the supervisor.

use crate::health::{free_port, probe};
use crate::supervisor::World;
use std::time::Duration;
use teal::service::{How, wait_ready};

#[tokio::test]
async fn a_folder_is_a_service() {
    let world = World::new();
    std::fs::write(world.path("index.html"), "home").unwrap();
    let port = free_port();
    let mut spec = world.spec(&format!("exec {} static", env!("CARGO_BIN_EXE_teal")));
    spec.env.push(("PORT".to_owned(), port.to_string()));
    let service = world.services.start(&spec).await.unwrap();
    let probe = probe(port, Some("/index.html"));
    wait_ready(&service, &probe, Duration::from_secs(60))
        .await
        .unwrap();
    let stopped = service.stop(Duration::from_secs(20)).await.unwrap();
    assert_eq!(stopped.how, How::Term, "{stopped:?} {}", world.log());
    assert_eq!(stopped.exit.unwrap().code, Some(0));
}

#[tokio::test]
async fn without_a_port_it_says_so() {
    let world = World::new();
    let command = format!("exec {} static", env!("CARGO_BIN_EXE_teal"));
    let service = world.start(&command).await;
    assert_eq!(service.exited().await.code, Some(2));
    assert!(
        world.log().contains("teal static: PORT is not set"),
        "{}",
        world.log()
    );
}
