//! `claviger man`: the manual pages of both programs, from the same source as their help.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};

use crate::terminal::{note, say};
use crate::{agent_program, program};

/// `claviger man`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder that gets one page for each command of both programs; without it, the page of claviger goes to standard
    /// output
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(program::Arguments::command()).render(&mut page)?;
        say(String::from_utf8_lossy(&page).trim_end());
        return Ok(());
    };
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let mut pages = 0;
    for command in [program::Arguments::command(), agent_program::Arguments::command()] {
        pages += write_pages(command, folder)?;
    }
    note(&format!(
        "{pages} pages in {}; man -M needs them in a folder named man1",
        folder.display()
    ));
    Ok(())
}

/// One page for a command and each below it, by the names that git made usual: `claviger-volume-info.1`.
fn write_pages(command: Command, folder: &Path) -> Result<u32> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut todo = vec![command];
    let mut pages = 0;
    while let Some(command) = todo.pop() {
        todo.extend(command.get_subcommands().filter(|below| !below.is_hide_set()).cloned());
        let page = clap_mangen::Man::new(command);
        let path = folder.join(page.get_filename());
        let writing = || format!("writing {}", path.display());
        let mut bytes = Vec::new();
        page.render(&mut bytes).with_context(writing)?;
        std::fs::File::create(&path)
            .and_then(|mut file| file.write_all(&bytes))
            .with_context(writing)?;
        pages += 1;
    }
    Ok(pages)
}
