//! The program: everything is in the library.

fn main() -> std::process::ExitCode {
    msr_lite::cli::main()
}
