// Servers as processes of this machine.
#include "app/doctor/checks.hpp"
#include "app/doctor/program.hpp"
#include "base/text.hpp"

#include <unistd.h>

namespace berth::app {

void check_local(const config::Options& options, Report& report) {
    if (options.local.system_users && ::geteuid() != 0)
        report.fail(
            "local.system_users",
            "this account is not root",
            "Run Berth as root, or set local.system_users to false.");
    const auto program = options.local.command.empty() ? "jupyterhub-singleuser" : options.local.command;
    const auto said = run_program({program, "--version"}, std::chrono::seconds(60));
    const auto what = "local.command";
    if (said.not_found)
        report.fail(
            what,
            program + " is not found on PATH",
            "Install it (pip install jupyterhub jupyterlab), or set local.command to its path.");
    else if (said.exit_code != 0)
        report.fail(
            what,
            program + " --version ends with " + std::to_string(said.exit_code) + ": " +
                ellipsized(said.output, 200),
            "Mend this installation: try the command by hand.");
    else
        report.ok(what, program + " answers " + ellipsized(std::string(trim(said.output)), 80));
}

}  // namespace berth::app
