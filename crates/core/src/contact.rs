//! E-mail addresses and company domains in one normal form.
//!
//! Two records are the same person or company only if these forms are equal, so every connector's text comes
//! through here. Not responsible for whether a domain *is* a company's: that also depends on the settings.

use std::sync::LazyLock;

use idna::AsciiDenyList;

/// The most octets of an address, of the part before the `@`, and of a domain (RFC 5321, 4.5.3.1).
const MOST_OCTETS: (usize, usize, usize) = (254, 64, 253);

/// The normal form of an address, or `None` if it is not one that could receive mail.
///
/// Blanks, `mailto:` and a display name go; letters become lower case, although the standard lets the part
/// before the `@` differ by case, because no provider of note does; a `+tag` goes, because it names a mailing
/// and not a person; the domain becomes Punycode. A quoted part before the `@` stays as it is, but for case.
/// Refused are domains of a single label, IP addresses, and the endings `.invalid`, which Salesforce puts on
/// every address of a sandbox, and `.localhost`.
///
/// ```
/// use tributary_core::contact::email;
/// assert_eq!(email("Jane Doe <Jane.Doe+demo@ACME.example>").as_deref(), Some("jane.doe@acme.example"));
/// assert_eq!(email("jane@acme.example.invalid"), None);
/// ```
pub fn email(text: &str) -> Option<String> {
    let (local, domain) = bare_address(text).rsplit_once('@')?;
    let local = local_part(local)?;
    let domain = host(domain)?;
    let ending = domain.rsplit('.').next();
    let deliverable = domain.contains('.') && !matches!(ending, Some("invalid" | "localhost"));
    let fits = local.len() <= MOST_OCTETS.1 && local.len() + 1 + domain.len() <= MOST_OCTETS.0;
    (deliverable && fits).then(|| format!("{local}@{domain}"))
}

/// The registrable domain (`acme.co.uk`) of a host, web address or e-mail address.
///
/// Suffixes are those of the Public Suffix List, its private part included: `acme.github.io` is as registrable
/// as `acme.com`. An ending that the list does not know counts as a suffix of one label. `None` for IP
/// addresses, single labels and bare suffixes.
///
/// ```
/// use tributary_core::contact::domain;
/// assert_eq!(domain("https://www.shop.acme.co.uk:8443/cart?id=1").as_deref(), Some("acme.co.uk"));
/// assert_eq!(domain("jane@mail.acme.example").as_deref(), Some("acme.example"));
/// assert_eq!(domain("co.uk"), None);
/// ```
pub fn domain(text: &str) -> Option<String> {
    let text = bare_address(text);
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = after_scheme.trim_start_matches("//").split(['/', '\\', '?', '#']).next()?;
    let with_port = authority.rsplit('@').next()?;
    let name = match with_port.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => with_port,
    };
    let name = host(name)?;
    psl::domain_str(&name).map(str::to_owned)
}

/// Whether a registrable domain belongs to a free-mail provider or an internet provider, and so to no company.
pub fn is_free_mail(domain: &str) -> bool {
    static DOMAINS: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("free_mail.txt").lines().collect());
    DOMAINS.binary_search(&domain).is_ok()
}

/// What is left of `Jane <mailto:jane@acme.example?subject=hi>` without its wrapping.
fn bare_address(text: &str) -> &str {
    let text = text.trim();
    let inner =
        text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')).map_or(text, |(_, inner)| inner.trim());
    match inner.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto:") => {
            rest.split_once('?').map_or(rest, |(address, _)| address).trim()
        }
        _ => inner,
    }
}

fn local_part(text: &str) -> Option<String> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut rest = quoted.strip_suffix('"')?.chars();
        while let Some(c) = rest.next() {
            let c = if c == '\\' {
                rest.next()?
            } else if c == '"' {
                return None;
            } else {
                c
            };
            if c.is_control() {
                return None;
            }
        }
        return (text.len() > 2).then(|| lower(text));
    }
    let is_atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_atom_char);
    if !text.split('.').all(is_atom) {
        return None;
    }
    let untagged = match text.find('+') {
        None | Some(0) => text,
        Some(plus) => text[..plus].trim_end_matches('.'),
    };
    Some(lower(untagged))
}

/// In lower case, letter by letter. A letter whose lower case is several (`İ`) stays: the mark that would follow it is
/// none that an address may hold.
fn lower(text: &str) -> String {
    let one = |letter: char| {
        let mut small = letter.to_lowercase();
        small.next().filter(|_| small.next().is_none()).unwrap_or(letter)
    };
    text.chars().map(one).collect()
}

/// `atext` of RFC 5322, and letters beyond ASCII as in RFC 6532.
fn is_atom_char(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
    } else {
        c.is_alphanumeric()
    }
}

/// The host in lower-case Punycode without a final dot, or `None` if it is an IP address or no host at all.
fn host(text: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii_cow(text.trim().as_bytes(), AsciiDenyList::URL).ok()?;
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // A last label that begins with a digit belongs to an IP address; no top-level domain has one.
    let ending = name.rsplit('.').next()?;
    let is_host = name.len() <= MOST_OCTETS.2
        && name.split('.').all(is_label)
        && !ending.starts_with(|c: char| c.is_ascii_digit());
    is_host.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_normal_form() {
        let longest = format!("{}@{}.example", "a".repeat(64), "b".repeat(63));
        for (text, expected) in [
            ("jane@acme.example", "jane@acme.example"),
            ("  Jane.Doe@ACME.Example\n", "jane.doe@acme.example"),
            ("mailto:jane@acme.example", "jane@acme.example"),
            ("MAILTO:jane@acme.example?subject=Hi", "jane@acme.example"),
            ("Jane Doe <jane@acme.example>", "jane@acme.example"),
            ("\"Doe, Jane\" < mailto:jane@acme.example >", "jane@acme.example"),
            ("<jane@acme.example>", "jane@acme.example"),
            ("jane+webinar@acme.example", "jane@acme.example"),
            ("jane+a+b@acme.example", "jane@acme.example"),
            ("jane.+a@acme.example", "jane@acme.example"),
            ("+49@acme.example", "+49@acme.example"),
            ("o'brien@acme.example", "o'brien@acme.example"),
            ("jane@BÜCHER.example", "jane@xn--bcher-kva.example"),
            ("jane@acme.example.", "jane@acme.example"),
            ("JÖRG@acme.example", "jörg@acme.example"),
            ("İ@acme.example", "İ@acme.example"),
            ("\"Jane Doe\"@acme.example", "\"jane doe\"@acme.example"),
            ("\"a+b@c\"@acme.example", "\"a+b@c\"@acme.example"),
            ("\"a\\\"b\"@acme.example", "\"a\\\"b\"@acme.example"),
            (longest.as_str(), longest.as_str()),
        ] {
            assert_eq!(email(text).as_deref(), Some(expected), "{text}");
            assert_eq!(email(expected).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_could_not_receive_mail_is_no_address() {
        let too_long = [
            format!("{}@acme.example", "a".repeat(65)),
            format!("jane@{}.example", "b".repeat(64)),
            format!("{}@{}example", "a".repeat(64), "bcdefghi.".repeat(21)),
        ];
        let texts = [
            "",
            "jane",
            "@acme.example",
            "jane@",
            "jane@localhost",
            "jane@acme.example.invalid",
            "jane@app.localhost",
            "jane@10.0.0.1",
            "jane@[10.0.0.1]",
            "jane@acme..example",
            "jane@-acme.example",
            "jane@ac me.example",
            "jane@acme.example, joe@acme.example",
            "jane doe@acme.example",
            ".jane@acme.example",
            "jane.@acme.example",
            "ja..ne@acme.example",
            "a@b@acme.example",
            "\"jane@acme.example",
            "\"\"@acme.example",
            "\"a\"b\"@acme.example",
            "jane@xn--a.example",
        ];
        for text in texts.into_iter().chain(too_long.iter().map(String::as_str)) {
            assert_eq!(email(text), None, "{text}");
        }
    }

    #[test]
    fn a_domain_is_registrable_whatever_it_is_written_in() {
        for (text, expected) in [
            ("acme.example", "acme.example"),
            ("www.acme.example", "acme.example"),
            ("WWW.Acme.CO.UK.", "acme.co.uk"),
            ("https://acme.com", "acme.com"),
            ("https://shop.acme.com:8443/a?b=c@d.org#e", "acme.com"),
            ("//cdn.acme.com/x", "acme.com"),
            ("acme.com/about", "acme.com"),
            ("acme.com/@jane.doe", "acme.com"),
            ("acme.com?utm_source=x", "acme.com"),
            ("https://user:secret@acme.com/", "acme.com"),
            ("jane@mail.acme.com", "acme.com"),
            ("Jane <jane@acme.com>", "acme.com"),
            ("mailto:jane@acme.com", "acme.com"),
            ("my_shop.acme.com", "acme.com"),
            ("acme.github.io", "acme.github.io"),
            ("http://www.bücher.de/", "xn--bcher-kva.de"),
            ("www.食狮.公司.cn", "xn--85x722f.xn--55qx5d.cn"),
        ] {
            assert_eq!(domain(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "   ",
            "localhost",
            "http://localhost:3000/",
            "com",
            "co.uk",
            "公司.cn",
            "github.io",
            "10.0.0.1",
            "http://10.0.0.1:80/",
            "http://[2001:db8::1]/",
            "2001:db8::1",
            "acme",
            "Acme Inc.",
            "acme..com",
            ".com",
            "n/a",
            "https://",
        ] {
            assert_eq!(domain(text), None, "{text}");
        }
    }

    #[test]
    fn the_free_mail_list_is_sorted_and_in_normal_form() {
        let list: Vec<&str> = include_str!("free_mail.txt").lines().collect();
        assert!(list.len() >= 150);
        for pair in list.windows(2) {
            assert!(pair[0] < pair[1], "{} must stand before {}", pair[1], pair[0]);
        }
        for entry in list {
            assert_eq!(domain(entry).as_deref(), Some(entry));
        }
    }

    #[test]
    fn free_mail_is_told_from_a_company() {
        for provider in ["gmail.com", "yahoo.co.uk", "t-online.de", "163.com", "zohomail.in", "comcast.net"] {
            assert!(is_free_mail(provider), "{provider}");
        }
        for company in ["acme.example", "google.com", "gmail.com.example", "", "microsoft.com"] {
            assert!(!is_free_mail(company), "{company}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_normal_form_is_its_own_normal_form(
            text in "\\PC{0,40}",
            address in "(mailto:)?[a-zÀ-žΑ-Ω0-9.+\"@< ]{0,12}@[A-Za-zß-ž0-9.。_-]{1,20}\\.(com|co\\.uk|Example|公司\\.cn|[0-9a-z]{1,4})[>.]?",
            page in "(https?://|//)?[a-z0-9:@]{0,8}[A-Za-zß-ž0-9.。_-]{1,20}(:[0-9]{1,4})?[/?#]?[a-z@.]{0,8}",
        ) {
            for text in [text, address, page] {
                if let Some(normal) = email(&text) {
                    proptest::prop_assert_eq!(email(&normal), Some(normal.clone()), "{}", text);
                }
                if let Some(normal) = domain(&text) {
                    proptest::prop_assert_eq!(domain(&normal), Some(normal.clone()), "{}", text);
                }
            }
        }
    }
}
