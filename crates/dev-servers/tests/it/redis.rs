//! A private Redis starts, is spoken to, crashes and comes back empty.

use dev_servers::{Port, PrivateRedis, RedisOptions};

#[test]
fn what_it_held_is_lost_in_a_crash_and_its_port_is_not() {
    let folder = crate::scratch();
    let mut server = PrivateRedis::start(RedisOptions {
        folder: folder.clone(),
        port: Port::Free,
    })
    .unwrap();
    let port = server.port();
    assert_eq!(server.say(&["SET", "key", "value"]).unwrap(), "OK");
    assert_eq!(server.say(&["GET", "key"]).unwrap(), "value");

    server.kill().unwrap();
    assert!(server.say(&["PING"]).is_err());
    server.restart().unwrap();
    assert_eq!(server.port(), port);
    assert_eq!(server.say(&["GET", "key"]).unwrap(), "");
    assert!(server.say(&["NONSENSE"]).is_err());

    drop(server);
    assert!(!folder.exists());
}
