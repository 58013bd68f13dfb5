//! A certificate authority for one test.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair,
};
use x509_parser::time::ASN1Time;

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate_pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Test authority");
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Certificate and key of the server on loopback, PEM.
    pub fn server(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A client certificate for a request, valid until the given Unix time.
    pub fn issue(&self, request: &str, common_name: &str, not_after: i64) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(request).unwrap();
        request.params.not_before = ASN1Time::from_timestamp(0).unwrap().to_datetime();
        request.params.not_after = ASN1Time::from_timestamp(not_after).unwrap().to_datetime();
        request.params.distinguished_name = DistinguishedName::new();
        request.params.distinguished_name.push(DnType::CommonName, common_name);
        request.signed_by(&self.issuer).unwrap().pem()
    }
}
