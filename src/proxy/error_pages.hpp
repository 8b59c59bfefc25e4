// What a browser sees when there is nothing to forward: a file of --error-path, else a small page of our own
// that says what happened and what to do. (--error-target is asked first, by the session.)
#pragma once

#include "proxy/options.hpp"

#include <string>

namespace berth::proxy {

struct ErrorPage {
    std::string content_type;
    std::string content_encoding;
    std::string body;
};

// Read at each use, so an administrator can edit the files of --error-path.
ErrorPage error_page(unsigned status, const ProxyOptions& options);

}  // namespace berth::proxy
