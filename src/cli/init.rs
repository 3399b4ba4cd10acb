//! `msr-lite init`: what `serve` does on an empty directory, without serving; and the record of an installed registry.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::instance::Instance;
use super::serve::NameArgs;
use super::{CliError, Context, Exit};
use crate::ops::Status;
use crate::serve::admin::{AdminAnswer, AdminRequest, Way};
use crate::serve::{self, Initialised, ServeError};

/// The words after `--help`.
pub const AFTER_HELP: &str = "\
`serve` does the same on an empty data directory; `init` is for those who want to look at it first, or who prepare \
a machine. Running it again changes nothing.

Run as root on an installed machine (/etc/msr-lite exists) it also writes /etc/msr-lite/instance, which names this \
registry outside its data directory: if the data is missing one day, `serve` then refuses instead of quietly making \
a new registry with a new certificate authority. The systemd unit runs it after each start.

Example:
  sudo msr-lite init --data-dir /var/lib/msr-lite --fqdn registry.lab";

/// Runs the verb.
///
/// # Errors
/// When the settings or the data directory do not do, or something cannot be made.
pub fn run(context: &Context, args: &NameArgs) -> Result<Exit, CliError> {
    let made = match of_server(context)? {
        Some(made) => made,
        None => of_store(context, args)?,
    };
    let (data_dir, Initialised { instance, fresh, password_file }) = made;
    let record = Instance { id: instance.clone(), data_dir };
    let recorded = rustix::process::geteuid().is_root() && record.record(context.instance_file())?;
    if context.json() {
        context.print_json(&json!({
            "instance": instance, "data_dir": record.data_dir, "fresh": fresh, "recorded": recorded,
            "password_file": password_file,
        }))?;
        return Ok(Exit::Done);
    }
    let did = if fresh { "is initialised" } else { "was initialised before" };
    context.print(&format!("{} {did} (instance {instance}).\n", record.data_dir.display()))?;
    if let Some(file) = password_file {
        context.print(&format!("The first password of admin is in {}.\n", file.display()))?;
    }
    if recorded {
        context.print(&format!("Written: {}\n", context.instance_file().display()))?;
    }
    Ok(Exit::Done)
}

/// What the running server says about itself, if there is one.
fn of_server(context: &Context) -> Result<Option<(PathBuf, Initialised)>, CliError> {
    match context.ask(&AdminRequest::Status)? {
        None => Ok(None),
        Some(AdminAnswer::Status(status)) => {
            let Status { data_dir, instance, .. } = *status;
            Ok(Some((data_dir.into(), Initialised { instance, fresh: false, password_file: None })))
        }
        Some(_) => Err(CliError::failed("the running server did not say which instance it is")),
    }
}

/// Makes what is missing, with the store opened here.
fn of_store(context: &Context, args: &NameArgs) -> Result<(PathBuf, Initialised), CliError> {
    let options = context.serve_options(args.admin_password_file.clone())?;
    let made = match serve::initialise(&options) {
        // A server that was starting when it was asked first has done the work.
        Err(error @ ServeError::InUse { .. }) => return of_server(context)?.ok_or_else(|| error.into()),
        made => made?,
    };
    context.say(Way::Store);
    if rustix::process::geteuid().is_root() {
        hand_over(&options.data_dir)?;
    }
    Ok((options.data_dir, made))
}

/// Gives what root made in the data directory to the directory's owner, the user that will serve it.
fn hand_over(data_dir: &Path) -> Result<(), CliError> {
    let failed = |error| CliError::failed(format!("cannot hand {} over to its owner: {error}", data_dir.display()));
    let owner = fs::metadata(data_dir).map_err(failed)?;
    give(data_dir, owner.uid(), owner.gid()).map_err(failed)
}

fn give(dir: &Path, uid: u32, gid: u32) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        // A link may lead out of the directory; what it leads to is not ours to give.
        if metadata.is_symlink() || (metadata.uid(), metadata.gid()) == (uid, gid) {
            continue;
        }
        chown(&path, Some(uid), Some(gid))?;
        if metadata.is_dir() {
            give(&path, uid, gid)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_made_goes_to_the_owner_of_the_directory_and_links_are_left_alone() {
        const SERVICE: u32 = 64_000;
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can give files away");
            return;
        }
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        chown(dir.path(), Some(SERVICE), Some(SERVICE)).unwrap();
        fs::create_dir(dir.path().join("pki")).unwrap();
        fs::write(dir.path().join("pki/ca.key"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        hand_over(dir.path()).unwrap();
        let owner = |path: &str| fs::metadata(dir.path().join(path)).unwrap().uid();
        assert_eq!((owner("pki"), owner("pki/ca.key")), (SERVICE, SERVICE));
        assert_eq!(fs::metadata(outside.path()).unwrap().uid(), 0);
    }
}
