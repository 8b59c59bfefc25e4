// What `berth …` ends with, for scripts. docs/administration.md and every --help list the same.
#pragma once

namespace berth::app {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;             // the hub refused, or what was asked did not work
inline constexpr int kUnreachable = 3;        // no hub answers, or it does not let this account in
inline constexpr int kNothingThere = 4;       // no such user, group, server, device, token
inline constexpr int kUsage = 64;             // EX_USAGE
inline constexpr int kBadConfiguration = 78;  // EX_CONFIG

inline constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 refused or failed; 3 no hub answers, or it does not know you as an administrator; "
    "4 no such user, group, server, device or token; 64 wrong use; 78 the configuration is wrong.";

}  // namespace berth::app
