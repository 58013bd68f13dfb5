//! Writes every page in every state, filled with made-up values, as static files: `cargo run -p server --example gallery -- OUT_DIR`.
//! `tests/web/look.mjs` serves the folder, takes pictures and checks accessibility.

mod fixtures;
mod fleet;
mod people;
mod recovery;
mod sheets;

use std::{env, fs, io, path::Path};

use server::web::assets::Asset;

fn main() -> io::Result<()> {
    let Some(out) = env::args().nth(1) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: gallery OUT_DIR"));
    };
    let out = Path::new(&out);
    fs::create_dir_all(out.join("assets"))?;
    for asset in Asset::all() {
        let plain = asset
            .plain()
            .ok_or_else(|| io::Error::other(format!("{} does not unpack", asset.path)))?;
        fs::write(out.join(asset.path.trim_start_matches('/')), plain)?;
    }
    let mut pages = fleet::pages();
    pages.extend(people::pages());
    pages.extend(recovery::pages());
    pages.extend(sheets::pages());
    let mut names = String::new();
    for (name, html) in pages {
        let html = html.map_err(|e| io::Error::other(format!("{name}: {e}")))?;
        fs::write(out.join(format!("{name}.html")), html)?;
        names.push_str(&format!("/{name}.html\n"));
    }
    fs::write(out.join("pages.txt"), names)
}
