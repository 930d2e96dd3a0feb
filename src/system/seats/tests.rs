use super::*;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

async fn is_told(seat: &Seat<u8>) -> bool {
    let mut told = pin!(seat.told_to_leave());
    poll_fn(|cx| Poll::Ready(told.as_mut().poll(cx).is_ready())).await
}

#[tokio::test]
async fn who_never_asked_goes_first_and_who_asks_stays() {
    let seats = Seats::new(3, 9);
    let busy = seats.take(1).await.unwrap();
    let first = seats.take(1).await.unwrap();
    let second = seats.take(1).await.unwrap();
    let asking = busy.ask().unwrap();
    let third = seats.take(1).await.unwrap();
    assert!(is_told(&first).await && !is_told(&second).await && !is_told(&busy).await);
    assert!(first.ask().is_none(), "it has to go");
    let fourth = seats.take(1).await.unwrap();
    assert!(is_told(&second).await);
    let (third_asks, _fourth_asks) = (third.ask().unwrap(), fourth.ask().unwrap());
    assert!(seats.take(1).await.is_none(), "everybody is being served");
    drop((asking, third_asks));
    // Both have asked lately, and the busy one came first.
    let _fifth = seats.take(1).await.unwrap();
    assert!(is_told(&busy).await && !is_told(&third).await);
}

#[tokio::test]
async fn a_peer_makes_room_for_itself_and_slow_bodies_go_last() {
    let seats = Seats::new(9, 2);
    let other = seats.take(2).await.unwrap();
    let slow = seats.take(1).await.unwrap();
    let idle = seats.take(1).await.unwrap();
    let asking = slow.ask().unwrap();
    let sending = asking.sending();
    drop(idle.ask());
    let third = seats.take(1).await.unwrap();
    assert!(is_told(&idle).await && !is_told(&slow).await && !is_told(&other).await);
    let _served = third.ask().unwrap();
    let fourth = seats.take(1).await.unwrap();
    assert!(is_told(&slow).await);
    drop((sending, asking, slow, idle));
    let _served = fourth.ask().unwrap();
    assert!(seats.take(1).await.is_none());
    drop(third);
    assert!(seats.take(1).await.is_some());
}
