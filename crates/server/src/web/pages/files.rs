//! Styles, font, pictures.

use axum::{
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    error::{AppError, Result},
    web::{
        assets::{Asset, FAVICON},
        frame::go,
    },
};

/// `/assets/{name}`: the address holds a hash of the content, so browsers may keep it for a year.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response> {
    let asset = Asset::find(&format!("/assets/{name}")).ok_or_else(|| AppError::not_found("There is no such file."))?;
    let said = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .unwrap_or_default()
    };
    let kept = [
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ),
        (header::ETAG, HeaderValue::from_static(asset.etag)),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
    ];
    if said(header::IF_NONE_MATCH)
        .split(',')
        .any(|tag| tag.trim().trim_start_matches("W/") == asset.etag)
    {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    if !asset.zipped {
        return Ok((kept, Body::from(asset.body)).into_response());
    }
    if accepts_gzip(said(header::ACCEPT_ENCODING)) {
        let coding = [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
        return Ok((kept, coding, Body::from(asset.body)).into_response());
    }
    let plain = asset
        .plain()
        .ok_or_else(|| AppError::internal("an embedded file does not unpack"))?;
    Ok((kept, Body::from(plain)).into_response())
}

/// `/favicon.ico`: browsers ask for it unasked.
pub(crate) async fn favicon() -> Response {
    go(FAVICON)
}

fn accepts_gzip(codings: &str) -> bool {
    codings.split(',').any(|coding| {
        let (name, quality) = coding.trim().split_once(';').unwrap_or((coding.trim(), ""));
        name.eq_ignore_ascii_case("gzip") && quality.replace(' ', "") != "q=0"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_refuses_gzip_does_not_get_it() {
        assert!(accepts_gzip("gzip, deflate, br"));
        assert!(accepts_gzip("br;q=1.0, GZIP;q=0.8"));
        assert!(!accepts_gzip("gzip; q=0, br"));
        assert!(!accepts_gzip(""));
    }

    #[test]
    fn every_asset_has_its_own_address_and_unpacks() {
        for asset in Asset::all() {
            assert_eq!(Asset::find(asset.path).map(|found| found.etag), Some(asset.etag));
            assert!(asset.plain().is_some_and(|plain| !plain.is_empty()), "{}", asset.path);
        }
    }

    #[test]
    fn the_style_sheet_loads_nothing_from_elsewhere() {
        let sheet = Asset::find(crate::web::assets::SITE_CSS)
            .and_then(Asset::plain)
            .expect("the style sheet");
        let sheet = String::from_utf8(sheet).expect("text");
        assert!(!sheet.contains("@import"));
        for address in sheet.split("url(").skip(1) {
            assert!(address.starts_with("\"/assets/"), "{}", &address[..60]);
        }
    }
}
