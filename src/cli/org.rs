//! `msr-lite org …` and `msr-lite team …`

use clap::Subcommand;
use serde_json::json;

use super::desk::{Desk, table, team, unexpected};
use super::{CliError, Context, Exit, user};
use crate::ops::accounts::{AccessReply, AccessRequest, GrantShown, MemberShown, TeamShown};

/// `msr-lite org …`
#[derive(Debug, Subcommand)]
pub enum OrgCommand {
    /// List the organizations
    Ls,
    /// Show an organization and its members
    #[command(after_help = "Example:\n  msr-lite org show lab --json")]
    Show {
        /// The organization
        #[arg(value_name = "ORG")]
        name: String,
    },
    /// Make an organization: the owner of the namespace of that name
    #[command(after_help = "\
Example:
  sudo msr-lite org add lab --full-name 'The lab' && sudo msr-lite org add-member lab alice --owner")]
    Add {
        /// The organization
        #[arg(value_name = "ORG")]
        name: String,
        /// How people call it
        #[arg(long, default_value = "", value_name = "TEXT")]
        full_name: String,
    },
    /// Delete an organization, with its teams
    #[command(after_help = "Example:\n  sudo msr-lite org rm lab --with-repositories")]
    Rm {
        /// The organization
        #[arg(value_name = "ORG")]
        name: String,
        /// Delete its repositories as well
        #[arg(long)]
        with_repositories: bool,
    },
    /// Make a user a member of an organization
    #[command(after_help = "Example:\n  sudo msr-lite org add-member lab alice --owner")]
    AddMember {
        /// The organization
        #[arg(value_name = "ORG")]
        name: String,
        /// Who
        #[arg(value_name = "USER")]
        user: String,
        /// As an owner, who manages the organization and all its repositories (without: an owner becomes a plain member)
        #[arg(long)]
        owner: bool,
    },
    /// Take a user out of an organization and all its teams
    #[command(after_help = "Example:\n  sudo msr-lite org rm-member lab alice")]
    RmMember {
        /// The organization
        #[arg(value_name = "ORG")]
        name: String,
        /// Who
        #[arg(value_name = "USER")]
        user: String,
    },
}

/// `msr-lite team …`
#[derive(Debug, Subcommand)]
pub enum TeamCommand {
    /// List the teams of an organization
    #[command(after_help = "Example:\n  msr-lite team ls lab")]
    Ls {
        /// The organization
        #[arg(value_name = "ORG")]
        organization: String,
    },
    /// Show a team: its members, and where it has rights
    #[command(after_help = "Example:\n  msr-lite team show lab/dev")]
    Show {
        /// The team
        #[arg(value_name = "ORG/TEAM")]
        team: String,
    },
    /// Make a team
    #[command(after_help = "\
Example:
  sudo msr-lite team add lab/dev --description 'who builds the images'
  sudo msr-lite team add-member lab/dev alice
  sudo msr-lite access grant 'lab/*' lab/dev read-write")]
    Add {
        /// The team
        #[arg(value_name = "ORG/TEAM")]
        team: String,
        /// What it is for
        #[arg(long, default_value = "", value_name = "TEXT")]
        description: String,
    },
    /// Change a team
    #[command(after_help = "Example:\n  sudo msr-lite team set lab/dev --name developers")]
    Set {
        /// The team
        #[arg(value_name = "ORG/TEAM")]
        team: String,
        /// Its new name
        #[arg(long, value_name = "NAME", required_unless_present = "description")]
        name: Option<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Delete a team, and with it its rights
    #[command(after_help = "Example:\n  sudo msr-lite team rm lab/dev")]
    Rm {
        /// The team
        #[arg(value_name = "ORG/TEAM")]
        team: String,
    },
    /// Put a user into a team; one who is no member of the organization becomes one
    #[command(after_help = "Example:\n  sudo msr-lite team add-member lab/dev alice")]
    AddMember {
        /// The team
        #[arg(value_name = "ORG/TEAM")]
        team: String,
        /// Who
        #[arg(value_name = "USER")]
        user: String,
    },
    /// Take a user out of a team
    #[command(after_help = "Example:\n  sudo msr-lite team rm-member lab/dev alice")]
    RmMember {
        /// The team
        #[arg(value_name = "ORG/TEAM")]
        team: String,
        /// Who
        #[arg(value_name = "USER")]
        user: String,
    },
}

/// Runs `msr-lite org`.
///
/// # Errors
/// In words, when it cannot be done, or neither server nor store can be reached.
pub fn run(context: &Context, command: &OrgCommand) -> Result<Exit, CliError> {
    let mut desk = Desk::new(context);
    match command {
        OrgCommand::Ls => user::list(context, &mut desk, true)?,
        OrgCommand::Show { name } => {
            let members = members(&mut desk, name, None)?;
            if context.json() {
                context.print_json(&json!({ "name": name, "members": members }))?;
            } else {
                context.print(&members_table(members))?;
            }
        }
        OrgCommand::Add { name, full_name } => {
            let (name, full_name) = (name.clone(), full_name.clone());
            desk.done(AccessRequest::AddOrganization { name, full_name })?;
        }
        OrgCommand::Rm { name, with_repositories } => {
            let with_repositories = *with_repositories;
            desk.done(AccessRequest::Delete { name: name.clone(), with_repositories })?;
        }
        OrgCommand::AddMember { name, user, owner } => {
            let (organization, user, owner) = (name.clone(), user.clone(), *owner);
            desk.done(AccessRequest::AddMember { organization, team: None, user, owner })?;
        }
        OrgCommand::RmMember { name, user } => {
            let (organization, user) = (name.clone(), user.clone());
            desk.done(AccessRequest::RemoveMember { organization, team: None, user })?;
        }
    }
    Ok(Exit::Done)
}

/// Runs `msr-lite team`.
///
/// # Errors
/// In words, when it cannot be done, or neither server nor store can be reached.
pub fn run_team(context: &Context, command: &TeamCommand) -> Result<Exit, CliError> {
    let mut desk = Desk::new(context);
    match command {
        TeamCommand::Ls { organization } => {
            let mut teams: Vec<TeamShown> = Vec::new();
            desk.pages(
                |after| AccessRequest::Teams { organization: organization.clone(), after },
                |reply| {
                    let AccessReply::Teams(page, more) = reply else { return Err(unexpected()) };
                    teams.extend(page);
                    Ok(teams.last().filter(|_| more).map(|last| last.name.clone()))
                },
            )?;
            if context.json() {
                context.print_json(&teams)?;
            } else {
                let members = |team: &TeamShown| team.members.map_or_else(|| "many".into(), |count| count.to_string());
                let row = |team: &TeamShown| vec![team.name.clone(), members(team), team.description.clone()];
                let rows: Vec<_> = teams.iter().map(row).collect();
                context.print(&table(&["NAME", "MEMBERS", "DESCRIPTION"], &rows))?;
            }
        }
        TeamCommand::Show { team: name } => show(context, &mut desk, name)?,
        TeamCommand::Add { team: name, description } => {
            let (organization, team) = team(name)?;
            desk.done(AccessRequest::AddTeam { organization, team, description: description.clone() })?;
        }
        TeamCommand::Set { team: name, name: new, description } => {
            let (organization, team) = team(name)?;
            let (name, description) = (new.clone(), description.clone());
            desk.done(AccessRequest::SetTeam { organization, team, name, description })?;
        }
        TeamCommand::Rm { team: name } => {
            let (organization, team) = team(name)?;
            desk.done(AccessRequest::DeleteTeam { organization, team })?;
        }
        TeamCommand::AddMember { team: name, user } => {
            let (organization, team) = team(name)?;
            let (team, user) = (Some(team), user.clone());
            desk.done(AccessRequest::AddMember { organization, team, user, owner: false })?;
        }
        TeamCommand::RmMember { team: name, user } => {
            let (organization, team) = team(name)?;
            desk.done(AccessRequest::RemoveMember { organization, team: Some(team), user: user.clone() })?;
        }
    }
    Ok(Exit::Done)
}

fn members(desk: &mut Desk<'_>, organization: &str, team: Option<&str>) -> Result<Vec<MemberShown>, CliError> {
    let mut members: Vec<MemberShown> = Vec::new();
    desk.pages(
        |after| AccessRequest::Members { organization: organization.to_owned(), team: team.map(str::to_owned), after },
        |reply| {
            let AccessReply::Members(page, more) = reply else { return Err(unexpected()) };
            members.extend(page);
            Ok(members.last().filter(|_| more).map(|last| last.name.clone()))
        },
    )?;
    Ok(members)
}

fn members_table(members: Vec<MemberShown>) -> String {
    let owner = |owner| if owner { "owner" } else { "" }.to_owned();
    let row = |member: MemberShown| vec![member.name, member.full_name, owner(member.owner)];
    table(&["MEMBER", "FULL NAME", "OWNER"], &members.into_iter().map(row).collect::<Vec<_>>())
}

fn show(context: &Context, desk: &mut Desk<'_>, name: &str) -> Result<(), CliError> {
    let (organization, team) = team(name)?;
    let (mut shown, mut grants): (Option<TeamShown>, Vec<GrantShown>) = (None, Vec::new());
    desk.pages(
        |after| AccessRequest::Team { organization: organization.clone(), team: team.clone(), after },
        |reply| {
            let AccessReply::Team(team, page, next) = reply else { return Err(unexpected()) };
            shown = Some(team);
            grants.extend(page);
            Ok(next)
        },
    )?;
    let members = members(desk, &organization, Some(&team))?;
    if context.json() {
        return context.print_json(&json!({ "team": shown, "members": members, "grants": grants }));
    }
    let rights = grants.into_iter().map(|grant| vec![grant.place, grant.level.to_string()]);
    let rights = table(&["PLACE", "LEVEL"], &rights.collect::<Vec<_>>());
    let about = shown.map(|team| team.description).filter(|text| !text.is_empty());
    let about = about.map_or_else(String::new, |text| format!("{text}\n\n"));
    context.print(&format!("{about}{}\n{rights}", members_table(members)))
}
