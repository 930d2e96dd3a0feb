//! The address that an app is fetched from. It is given to the `git` program, so everything that git would take for an
//! option, a helper or a local file is refused here.

/// Checks the address; says what is wrong with it otherwise, without repeating it.
pub(super) fn check(url: &str) -> Result<(), String> {
    const SCHEMES: &str =
        "is not an address that Teal fetches from: use https://, http://, ssh:// or git@host:path";
    if url
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
    {
        return Err("has a space, a backslash or a control character in it".to_owned());
    }
    if url.starts_with('-') {
        return Err("starts with `-`: git would take it for an option".to_owned());
    }
    match url.split_once("://") {
        Some(("https" | "http", rest)) => web(rest),
        Some(("ssh", rest)) => ssh(rest),
        Some(_) => Err(SCHEMES.to_owned()),
        None if url.split('/').next().is_some_and(|start| {
            start
                .split_once("::")
                .is_some_and(|(helper, _)| !helper.contains('['))
        }) =>
        {
            Err("names a git remote helper (`…::`), which can run any program".to_owned())
        }
        None => scp(url).unwrap_or_else(|| Err(SCHEMES.to_owned())),
    }
}

/// What stands between scheme and path may be fetched over ssh; `web` addresses are fetched with a token.
pub(super) fn is_ssh(url: &str) -> bool {
    url.starts_with("ssh://") || !url.contains("://")
}

/// A checked address in three parts: where its host speaks HTTP, the host's name, and the path behind it.
pub(super) fn parts(url: &str) -> Option<(String, &str, &str)> {
    let over_ssh = |place: &'_ str| -> usize { place.rfind('@').map_or(0, |at| at + 1) };
    match url.split_once("://") {
        Some(("ssh", rest)) => {
            let (place, path) = rest.split_once('/')?;
            let host = &place[over_ssh(place)..];
            let host = match host.rsplit_once(':') {
                Some((name, port)) if !port.contains(']') => name,
                _ => host,
            };
            Some((format!("https://{host}"), host, path))
        }
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/')?;
            Some((format!("{scheme}://{host}"), host, path))
        }
        None => {
            let start = url.find(']').unwrap_or(0);
            let colon = start + url[start..].find(':')?;
            let (place, path) = (&url[..colon], &url[colon + 1..]);
            let host = &place[over_ssh(place)..];
            Some((format!("https://{host}"), host, path))
        }
    }
}

fn web(rest: &str) -> Result<(), String> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err("has credentials in it: give them as `token = { file = \"…\" }`".to_owned());
    }
    host_and_port(authority)?;
    if path.contains(['?', '#']) {
        return Err("has a query in it".to_owned());
    }
    if path.is_empty() {
        return Err("names no repository".to_owned());
    }
    Ok(())
}

fn ssh(rest: &str) -> Result<(), String> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = match authority.rsplit_once('@') {
        Some((name, host)) => {
            user(name)?;
            host
        }
        None => authority,
    };
    host_and_port(host)?;
    if path.is_empty() {
        return Err("names no repository".to_owned());
    }
    Ok(())
}

/// `user@host:path`; nothing when the text does not look like it.
fn scp(url: &str) -> Option<Result<(), String>> {
    let (place, path) = match url.split_once("]:") {
        Some((place, path)) if url.contains('[') => (format!("{place}]"), path),
        _ => {
            let (place, path) = url.split_once(':')?;
            (place.to_owned(), path)
        }
    };
    if place.contains('/') || place.is_empty() {
        return None;
    }
    let named = match place.rsplit_once('@') {
        Some((name, name_of_host)) => user(name).and_then(|()| host(name_of_host)),
        None => host(&place),
    };
    Some(named.and_then(|()| match path {
        "" => Err("names no repository".to_owned()),
        path if path.starts_with('-') => {
            Err("has a path that starts with `-`: git would take it for an option".to_owned())
        }
        path if path.contains('@') => Err("has a path with `@` in it".to_owned()),
        _ => Ok(()),
    }))
}

fn user(name: &str) -> Result<(), String> {
    if name.contains(':') {
        return Err("has a password in it: use `ssh_key = { file = \"…\" }`".to_owned());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(plain) {
        return Err("has a user name that ssh could take for an option".to_owned());
    }
    Ok(())
}

fn host_and_port(text: &str) -> Result<(), String> {
    if let Some((name, port)) = text.rsplit_once(':')
        && !port.contains(']')
    {
        return match port.parse::<u16>() {
            Ok(1..) => host(name),
            _ => Err("has a port that is not one".to_owned()),
        };
    }
    host(text)
}

fn host(name: &str) -> Result<(), String> {
    if name.starts_with('-') {
        return Err("has a host that starts with `-`: ssh would take it for an option".to_owned());
    }
    let inner = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let good = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        }
    };
    if good {
        Ok(())
    } else {
        Err("has a host that is not one".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn ordinary_addresses_are_taken() {
        for url in [
            "https://github.com/arq/arq.git",
            "http://git.lan:3000/arq/arq",
            "http://127.0.0.1:3000/a/b.git",
            "ssh://git@github.com/arq/arq.git",
            "ssh://git@[::1]:2222/srv/x.git",
            "git@github.com:arq/arq.git",
            "[::1]:arq.git",
            "github.com:arq/arq.git",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for url in [
            "",
            "-u",
            "--upload-pack=x",
            "ext::sh -c id",
            "ext::sh",
            "fd::17",
            "file:///etc",
            "/srv/x.git",
            "./x",
            "../x",
            "~/x",
            "C:\\x:y",
            "git://host/x",
            "ssh://-oProxyCommand=id/x",
            "ssh://git@-oProxyCommand=id/x",
            "-oProxyCommand=id:x",
            "git@-host:x",
            "-git@host:x",
            "ssh://-u@host/x",
            "git@host:-x",
            "git@host:",
            "https://",
            "https://host",
            "https://host/",
            "https://user:pass@host/x",
            "https://token@host/x",
            "ssh://git:pass@host/x",
            "https://host/a b",
            "https://host/a\nb",
            "https://host:0/x",
            "https://host:x/y",
            "https://ho$t/x",
            "https://host/x?token=1",
            "http::https://host/x",
            "a:b@c:d",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
    }
}
