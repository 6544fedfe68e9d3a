/** Passed on, validated, up to this version. Reviewed with the bounds and redactions that go with them. */
export const ALLOWED: Readonly<Record<string, number>> = {
  wl_compositor: 6,
  wl_subcompositor: 1,
  wl_shm: 2,
  wl_output: 4,
  wl_seat: 9,
  xdg_wm_base: 6,
  wp_viewporter: 1,
  wp_single_pixel_buffer_manager_v1: 1,
  wp_fractional_scale_manager_v1: 1,
  wp_cursor_shape_manager_v1: 2,
  wp_content_type_manager_v1: 1,
  wp_presentation: 2,
  zxdg_output_manager_v1: 3,
  zwp_relative_pointer_manager_v1: 1,
  zwp_pointer_gestures_v1: 3,
  wp_alpha_modifier_v1: 1,
  xdg_wm_dialog_v1: 1,
  wp_fifo_manager_v1: 1,
  wp_commit_timing_manager_v1: 1,
}

/**
 * Of those: with them a window's content can be applied later than that of its subsurfaces, and the frame, which comes
 * with the window's content, later than what it goes round. Where there are frames they are passed on only if the
 * policy names them.
 */
export const DELAYING: Readonly<Record<string, string>> = {
  wp_fifo_manager_v1: 'can hold a frame back from what it goes round',
  wp_commit_timing_manager_v1: 'can hold a frame back from what it goes round',
}

/** Answered by the proxy itself; with what setting of the policy the compositor's own is passed on instead. */
export const ANSWERED: Readonly<Record<string, { readonly version: number; readonly passedOnBy?: string }>> =
  {
    wl_data_device_manager: { version: 3 },
    zwp_primary_selection_device_manager_v1: { version: 1 },
    zxdg_decoration_manager_v1: { version: 1, passedOnBy: 'decoration' },
    org_kde_kwin_server_decoration_manager: { version: 1, passedOnBy: 'decoration' },
    zwp_idle_inhibit_manager_v1: { version: 1, passedOnBy: 'idleInhibit' },
    xdg_activation_v1: { version: 1, passedOnBy: 'activation' },
    xdg_system_bell_v1: { version: 1, passedOnBy: 'bell' },
    wl_fixes: { version: 1 },
  }

/** Passed on only where the policy says so, because each costs something. */
export const OPT_IN: Readonly<Record<string, { readonly version: number; readonly why: string }>> = {
  zwp_linux_dmabuf_v1: { version: 5, why: "opens the compositor's import of GPU memory" },
  wp_linux_drm_syncobj_manager_v1: { version: 1, why: 'opens the GPU driver' },
  zwp_linux_explicit_synchronization_v1: { version: 2, why: 'opens the GPU driver' },
  wl_drm: { version: 2, why: "opens the GPU driver and tells the device's path" },
  zwp_pointer_constraints_v1: { version: 1, why: 'can hold the pointer' },
  zwp_text_input_manager_v3: { version: 1, why: 'tells an input method about the text' },
  zwp_text_input_manager_v1: { version: 1, why: 'tells an input method about the text' },
  zwp_tablet_manager_v2: { version: 2, why: "tells the tablets' identity" },
  xdg_toplevel_icon_manager_v1: { version: 1, why: "can imitate another program's icon" },
  zxdg_exporter_v2: { version: 1, why: 'lets windows of other units refer to its own' },
  zxdg_importer_v2: { version: 1, why: "can refer to other units' windows" },
  wp_tearing_control_manager_v1: { version: 1, why: 'changes how the screen is updated' },
  wp_color_manager_v1: { version: 1, why: 'is a large interface' },
  wp_color_representation_manager_v1: { version: 1, why: 'is a large interface' },
  xdg_toplevel_tag_manager_v1: { version: 1, why: "can imitate another program's windows" },
  zwp_input_timestamps_manager_v1: { version: 1, why: 'is a precise clock' },
  zwp_keyboard_shortcuts_inhibit_manager_v1: { version: 1, why: "can keep the desktop's keys from the user" },
}

const CAPTURE = 'it can see what other units show'
const INJECTION = 'it can type and click for the user'
const GRAB = 'it can take the input away from others'
const OVERLAY = 'it can cover or imitate the desktop'
const SNOOPING = "it tells about other units' windows or the user's presence"
const CLIPBOARD = "it gets at the clipboard behind the user's back"
const SESSION = 'it controls the session or its monitors'
const PRIVILEGE = 'it makes clients with other rights'

/** Never offered, whatever a policy says, and why. */
export const NEVER: Readonly<Record<string, string>> = {
  zwlr_screencopy_manager_v1: CAPTURE,
  zwlr_export_dmabuf_manager_v1: CAPTURE,
  ext_image_copy_capture_manager_v1: CAPTURE,
  ext_output_image_capture_source_manager_v1: CAPTURE,
  ext_foreign_toplevel_image_capture_source_manager_v1: CAPTURE,
  zkde_screencast_unstable_v1: CAPTURE,
  hyprland_toplevel_export_manager_v1: CAPTURE,
  weston_screenshooter: CAPTURE,
  weston_capture_v1: CAPTURE,
  zwp_virtual_keyboard_manager_v1: INJECTION,
  zwlr_virtual_pointer_manager_v1: INJECTION,
  org_kde_kwin_fake_input: INJECTION,
  zwp_input_method_v1: INJECTION,
  zwp_input_method_manager_v2: INJECTION,
  zwp_input_panel_v1: INJECTION,
  ext_transient_seat_manager_v1: INJECTION,
  hyprland_input_capture_manager_v1: INJECTION,
  wp_pointer_warp_v1: INJECTION,
  zwp_xwayland_keyboard_grab_manager_v1: GRAB,
  zwlr_input_inhibit_manager_v1: GRAB,
  hyprland_focus_grab_manager_v1: GRAB,
  hyprland_global_shortcuts_manager_v1: GRAB,
  zwlr_layer_shell_v1: OVERLAY,
  zwp_fullscreen_shell_v1: OVERLAY,
  wl_shell: OVERLAY,
  xdg_shell: OVERLAY,
  zxdg_shell_v6: OVERLAY,
  weston_desktop_shell: OVERLAY,
  ivi_application: OVERLAY,
  ivi_wm: OVERLAY,
  zaura_shell: OVERLAY,
  org_kde_plasma_shell: OVERLAY,
  kde_lockscreen_overlay_v1: OVERLAY,
  zwlr_foreign_toplevel_manager_v1: SNOOPING,
  ext_foreign_toplevel_list_v1: SNOOPING,
  ext_workspace_manager_v1: SNOOPING,
  zcosmic_workspace_manager_v1: SNOOPING,
  zcosmic_toplevel_info_v1: SNOOPING,
  org_kde_plasma_window_management: SNOOPING,
  org_kde_kwin_idle: SNOOPING,
  ext_idle_notifier_v1: SNOOPING,
  zriver_status_manager_v1: SNOOPING,
  zriver_control_v1: SESSION,
  zwlr_data_control_manager_v1: CLIPBOARD,
  ext_data_control_manager_v1: CLIPBOARD,
  xdg_toplevel_drag_manager_v1: CLIPBOARD,
  ext_session_lock_manager_v1: SESSION,
  hyprland_lock_notifier_v1: SNOOPING,
  zwlr_output_manager_v1: SESSION,
  zwlr_output_power_manager_v1: SESSION,
  zwlr_gamma_control_manager_v1: SESSION,
  org_kde_kwin_outputmanagement: SESSION,
  kde_output_management_v2: SESSION,
  org_kde_kwin_dpms_manager: SESSION,
  hyprland_ctm_control_manager_v1: SESSION,
  wp_drm_lease_device_v1: SESSION,
  weston_debug_v1: SESSION,
  weston_test: INJECTION,
  weston_content_protection: SESSION,
  weston_touch_calibration: SESSION,
  wp_security_context_manager_v1: PRIVILEGE,
  xwayland_shell_v1: PRIVILEGE,
  wl_eglstream: PRIVILEGE,
  wl_eglstream_controller: PRIVILEGE,
  wl_eglstream_display: PRIVILEGE,
}
