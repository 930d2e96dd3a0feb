use super::world::{Service, World, eventually, request, soon, text};
use http_body_util::BodyExt;

#[tokio::test]
async fn requests_wait_while_their_service_restarts() {
    let mut world = World::new().await;
    let port = world.blue.port;
    world.blue = Service::start("elsewhere").await;
    let (mut one, mut two) = (world.client().await, world.client().await);
    let get = tokio::spawn(one.send_request(request("GET", "/", "")));
    let post = tokio::spawn(two.send_request(request("POST", "/echo", "kept")));
    eventually("both were refused", || {
        world.measure().colors.blue.connect_failures >= 2
    })
    .await;
    let _blue = Service::start_on("blue again", port).await;
    assert_eq!(text(soon(get).await.unwrap().unwrap()).await, "blue again");
    assert_eq!(text(soon(post).await.unwrap().unwrap()).await, "kept");
    let blue = world.measure().colors.blue;
    assert_eq!((blue.begun, blue.answered, blue.lost), (2, 2, 0));
}

#[tokio::test]
async fn when_hold_runs_out_it_is_said_and_counted() {
    let mut world = World::new().await;
    world.blue = Service::start("elsewhere").await;
    world.change(|route| route.hold_ms = 1);
    let answer = world.get("/").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 5\r\n"), "{answer}");
    assert_eq!(world.measure().colors.blue.lost, 1);
}

#[tokio::test]
async fn what_may_have_reached_the_service_is_sent_twice_only_if_that_is_harmless() {
    let world = World::new().await;
    let answer = world
        .raw("POST /die HTTP/1.1\r\nHost: arq.test\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
        .await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(world.blue.hits("/die"), 1);
    assert!(world.get("/die-once").await.ends_with("blue"));
    assert_eq!(world.blue.hits("/die-once"), 2);
    assert_eq!(world.measure().colors.blue.lost, 1);
    assert!(world.get("/die").await.starts_with("HTTP/1.1 502"));
    assert_eq!(world.blue.hits("/die"), 1 + 3, "twice more, not for ever");
}

#[tokio::test]
async fn half_an_answer_is_lost_and_the_client_can_tell() {
    let world = World::new().await;
    let mut client = world.client().await;
    let answer = soon(client.send_request(request("GET", "/half", "")))
        .await
        .unwrap();
    assert!(soon(answer.into_body().collect()).await.is_err());
    eventually("it is counted", || world.measure().colors.blue.lost == 1).await;
    eventually("it is over", || world.measure().colors.blue.in_flight == 0).await;
}

#[tokio::test]
async fn errors_of_the_service_are_passed_on_and_counted() {
    let world = World::new().await;
    assert!(world.get("/error").await.starts_with("HTTP/1.1 500"));
    let blue = world.measure().colors.blue;
    assert_eq!(
        (blue.server_errors, blue.lost, blue.latency.count()),
        (1, 0, 1)
    );
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_in_flight() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    use tokio::io::AsyncWriteExt;
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nHost: arq.test\r\n\r\n")
        .await
        .unwrap();
    eventually("it arrived", || world.blue.hits("/slow") == 1).await;
    assert_eq!(world.measure().colors.blue.in_flight, 1);
    drop(stream);
    eventually("it is over", || world.measure().colors.blue.in_flight == 0).await;
    assert_eq!(world.measure().colors.blue.lost, 0);
}
