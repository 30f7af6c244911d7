//! E-mail addresses and company domains in one normal form.

/// The normal form of an address, or `None` if it is not one that could receive mail.
pub fn email(text: &str) -> Option<String> {
    let _ = text;
    None
}

/// The registrable domain (`acme.co.uk`) of a host, web address or e-mail address.
pub fn domain(text: &str) -> Option<String> {
    let _ = text;
    None
}

/// Whether a registrable domain belongs to a free-mail provider or an internet provider, and so to no company.
pub fn is_free_mail(domain: &str) -> bool {
    let _ = domain;
    false
}
