// The frame around every page: head, top bar, banners, footer; and the parts that pages share. Private to
// web/.
#pragma once

#include "web/html.hpp"
#include "web/pages.hpp"

namespace berth::web {

enum class Layout { centred, full };  // a single card in the middle; the width of the window

struct Frame {
    std::string title{};
    Layout layout = Layout::centred;
    std::string_view current{};  // the app page whose entry in the top bar is lit
    bool app = false;            // loads the bundle
};

std::string render(const PageContext& context, const Frame& frame, const Html& body);

Html hidden_xsrf(const PageContext& context);
Html error_note(std::string_view message);  // nothing when the message is empty
Html icon_check();
Html icon_alert();

// JSON that cannot end its script element or begin a comment in it, whatever strings it holds.
std::string json_for_script(const json::object& data);

}  // namespace berth::web
