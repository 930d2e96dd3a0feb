use super::world::{World, env, eventually, request, soon, text};
use crate::domain::Color;
use crate::proxy::Phase;
use crate::traffic::receipt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

#[tokio::test]
async fn a_request_that_began_before_the_switch_finishes_where_it_began() {
    let world = World::new().await;
    let before = world.measure();
    let mut client = world.client().await;
    let slow = tokio::spawn(client.send_request(request("GET", "/slow", "")));
    eventually("it is with blue", || world.blue.hits("/slow") == 1).await;
    world.switch_to(Color::Green);
    assert!(world.get("/").await.ends_with("green"));
    let table = world.server.shared().table();
    let stats = &table.site(&env()).unwrap().stats;
    assert_eq!(stats.of(Color::Blue).left(), (1, 0));
    let drained = stats.silent(Color::Blue);
    world.blue.open_gate();
    assert_eq!(text(soon(slow).await.unwrap().unwrap()).await, "blue");
    soon(drained).await;
    let receipt = receipt(&before, &world.measure(), Some(Color::Blue), Color::Green);
    assert_eq!(receipt.in_flight, Some(1));
    assert_eq!(receipt.requests, Some(2));
    assert_eq!((receipt.lost, receipt.overlap_us), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switching_under_load_loses_nothing_and_never_goes_back() {
    let world = Arc::new(World::new().await);
    let before = world.measure();
    let (over, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    // Of even number: blue serves. Odd: green. Raised only once the proxy follows.
    let generation = Arc::new(AtomicU64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (world, over, answered) = (world.clone(), over.clone(), answered.clone());
        let generation = generation.clone();
        clients.spawn(async move {
            let method = if number % 2 == 0 { "GET" } else { "POST" };
            let mut client = world.client().await;
            while !over.load(SeqCst) {
                let began = generation.load(SeqCst);
                let answer = client
                    .send_request(request(method, "/", "x"))
                    .await
                    .unwrap();
                assert_eq!(answer.status(), 200);
                let said = text(answer).await;
                // One switch may have begun and not yet have been noted.
                if generation.load(SeqCst) == began {
                    let next = began + 1;
                    let could = |generation| color_of(generation).as_str();
                    assert!(said == could(began) || said == could(next));
                }
                answered.fetch_add(1, SeqCst);
            }
        });
    }
    for switch in 1..=100 {
        let enough = switch * 20;
        eventually("there is load", || answered.load(SeqCst) >= enough).await;
        let color = color_of(switch);
        world.switch_to(color);
        generation.store(switch, SeqCst);
    }
    over.store(true, SeqCst);
    while let Some(client) = soon(clients.join_next()).await {
        client.unwrap();
    }
    let after = world.measure();
    let receipt = receipt(&before, &after, Some(Color::Green), Color::Blue);
    assert_eq!(receipt.requests, Some(answered.load(SeqCst)));
    assert_eq!(
        (receipt.lost, receipt.old_5xx, receipt.new_5xx),
        (Some(0), Some(0), Some(0))
    );
    assert_eq!(receipt.overlap_us, Some(0));
}

fn color_of(generation: u64) -> Color {
    match generation.is_multiple_of(2) {
        true => Color::Blue,
        false => Color::Green,
    }
}

#[tokio::test]
async fn a_replaced_proxy_closes_connections_with_an_answer_and_not_before() {
    let world = World::new().await;
    let mut client = world.client().await;
    let first = soon(client.send_request(request("GET", "/", "")))
        .await
        .unwrap();
    assert_eq!(first.headers().get("connection"), None);
    text(first).await;
    let World {
        server,
        settings,
        blue,
        green,
        ..
    } = world;
    let shared = server.shared().clone();
    let ending = tokio::spawn(async move { server.end(Phase::Yielding, &settings).await });
    eventually("it yields", || shared.phase() == Phase::Yielding).await;
    let last = soon(client.send_request(request("POST", "/", "x")))
        .await
        .unwrap();
    assert_eq!(last.headers()["connection"], "close");
    assert_eq!(text(last).await, "blue");
    soon(ending).await.unwrap();
    drop((blue, green));
}

#[tokio::test]
async fn an_ending_proxy_finishes_what_is_in_flight() {
    let world = World::new().await;
    let (mut busy, idle) = (world.client().await, world.client().await);
    let slow = tokio::spawn(busy.send_request(request("GET", "/slow", "")));
    eventually("it is with blue", || world.blue.hits("/slow") == 1).await;
    let World {
        server,
        settings,
        blue,
        green,
        ..
    } = world;
    let ending = tokio::spawn(async move { server.end(Phase::Finishing, &settings).await });
    eventually("the idle one is closed", || idle.is_closed()).await;
    blue.open_gate();
    assert_eq!(text(soon(slow).await.unwrap().unwrap()).await, "blue");
    soon(ending).await.unwrap();
    drop(green);
}
