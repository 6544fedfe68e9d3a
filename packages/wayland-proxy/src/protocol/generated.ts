// Generated from the protocols' XML by generate/generate.ts; see text.ts for the form. Do not edit.
export const STANDARD_TABLES = `\
ext_background_effect_manager_v1 1
>destroy 1!
>get_background_effect 1 id:+ext_background_effect_surface_v1 surface:@wl_surface
<capabilities 1 flags:u
ext_background_effect_surface_v1 1
>destroy 1!
>set_blur_region 1 region:@wl_region?
ext_data_control_device_v1 1
>set_selection 1 source:@ext_data_control_source_v1?
>destroy 1!
>set_primary_selection 1 source:@ext_data_control_source_v1?
<data_offer 1 id:+ext_data_control_offer_v1
<selection 1 id:@ext_data_control_offer_v1?
<finished 1
<primary_selection 1 id:@ext_data_control_offer_v1?
ext_data_control_manager_v1 1
>create_data_source 1 id:+ext_data_control_source_v1
>get_data_device 1 id:+ext_data_control_device_v1 seat:@wl_seat
>destroy 1!
ext_data_control_offer_v1 1
>receive 1 mime_type:s fd:h
>destroy 1!
<offer 1 mime_type:s
ext_data_control_source_v1 1
>offer 1 mime_type:s
>destroy 1!
<send 1 mime_type:s fd:h
<cancelled 1
ext_foreign_toplevel_handle_v1 1
>destroy 1!
<closed 1
<done 1
<title 1 title:s
<app_id 1 app_id:s
<identifier 1 identifier:s
ext_foreign_toplevel_image_capture_source_manager_v1 1
>create_source 1 source:+ext_image_capture_source_v1 toplevel_handle:@ext_foreign_toplevel_handle_v1
>destroy 1!
ext_foreign_toplevel_list_v1 1
>stop 1
>destroy 1!
<toplevel 1 toplevel:+ext_foreign_toplevel_handle_v1
<finished 1
ext_idle_notification_v1 2
>destroy 1!
<idled 1
<resumed 1
ext_idle_notifier_v1 2
>destroy 1!
>get_idle_notification 1 id:+ext_idle_notification_v1 timeout:u seat:@wl_seat
>get_input_idle_notification 2 id:+ext_idle_notification_v1 timeout:u seat:@wl_seat
ext_image_capture_source_v1 1
>destroy 1!
ext_image_copy_capture_cursor_session_v1 1
>destroy 1!
>get_capture_session 1 session:+ext_image_copy_capture_session_v1
<enter 1
<leave 1
<position 1 x:i y:i
<hotspot 1 x:i y:i
ext_image_copy_capture_frame_v1 1
>destroy 1!
>attach_buffer 1 buffer:@wl_buffer
>damage_buffer 1 x:i y:i width:i height:i
>capture 1
<transform 1 transform:u
<damage 1 x:i y:i width:i height:i
<presentation_time 1 tv_sec_hi:u tv_sec_lo:u tv_nsec:u
<ready 1
<failed 1 reason:u
ext_image_copy_capture_manager_v1 1
>create_session 1 session:+ext_image_copy_capture_session_v1 source:@ext_image_capture_source_v1 options:u
>create_pointer_cursor_session 1 session:+ext_image_copy_capture_cursor_session_v1 source:@ext_image_capture_source_v1 pointer:@wl_pointer
>destroy 1!
ext_image_copy_capture_session_v1 1
>create_frame 1 frame:+ext_image_copy_capture_frame_v1
>destroy 1!
<buffer_size 1 width:u height:u
<shm_format 1 format:u
<dmabuf_device 1 device:a
<dmabuf_format 1 format:u modifiers:a
<done 1
<stopped 1
ext_output_image_capture_source_manager_v1 1
>create_source 1 source:+ext_image_capture_source_v1 output:@wl_output
>destroy 1!
ext_session_lock_manager_v1 1
>destroy 1!
>lock 1 id:+ext_session_lock_v1
ext_session_lock_surface_v1 1
>destroy 1!
>ack_configure 1 serial:u
<configure 1 serial:u width:u height:u
ext_session_lock_v1 1
>destroy 1!
>get_lock_surface 1 id:+ext_session_lock_surface_v1 surface:@wl_surface output:@wl_output
>unlock_and_destroy 1!
<locked 1
<finished 1
ext_transient_seat_manager_v1 1
>create 1 seat:+ext_transient_seat_v1
>destroy 1!
ext_transient_seat_v1 1
>destroy 1!
<ready 1 global_name:u
<denied 1
ext_workspace_group_handle_v1 1
>create_workspace 1 workspace:s
>destroy 1!
<capabilities 1 capabilities:u
<output_enter 1 output:@wl_output
<output_leave 1 output:@wl_output
<workspace_enter 1 workspace:@ext_workspace_handle_v1
<workspace_leave 1 workspace:@ext_workspace_handle_v1
<removed 1
ext_workspace_handle_v1 1
>destroy 1!
>activate 1
>deactivate 1
>assign 1 workspace_group:@ext_workspace_group_handle_v1
>remove 1
<id 1 id:s
<name 1 name:s
<coordinates 1 coordinates:a
<state 1 state:u
<capabilities 1 capabilities:u
<removed 1
ext_workspace_manager_v1 1
>commit 1
>stop 1
<workspace_group 1 workspace_group:+ext_workspace_group_handle_v1
<workspace 1 workspace:+ext_workspace_handle_v1
<done 1
<finished 1!
gtk_primary_selection_device 1
>set_selection 1 source:@gtk_primary_selection_source? serial:u
>destroy 1!
<data_offer 1 offer:+gtk_primary_selection_offer
<selection 1 id:@gtk_primary_selection_offer?
gtk_primary_selection_device_manager 1
>create_source 1 id:+gtk_primary_selection_source
>get_device 1 id:+gtk_primary_selection_device seat:@wl_seat
>destroy 1!
gtk_primary_selection_offer 1
>receive 1 mime_type:s fd:h
>destroy 1!
<offer 1 mime_type:s
gtk_primary_selection_source 1
>offer 1 mime_type:s
>destroy 1!
<send 1 mime_type:s fd:h
<cancelled 1
org_kde_kwin_server_decoration 1
>release 1!
>request_mode 1 mode:u
<mode 1 mode:u
org_kde_kwin_server_decoration_manager 1
>create 1 id:+org_kde_kwin_server_decoration surface:@wl_surface
<default_mode 1 mode:u
wl_buffer 1
>destroy 1!
<release 1
wl_callback 1
<done 1! callback_data:u
wl_compositor 7
>create_surface 1 id:+wl_surface
>create_region 1 id:+wl_region
>release 7!
wl_data_device 4
>start_drag 1 source:@wl_data_source? origin:@wl_surface icon:@wl_surface? serial:u
>set_selection 1 source:@wl_data_source? serial:u
>release 2!
<data_offer 1 id:+wl_data_offer
<enter 1 serial:u surface:@wl_surface x:f y:f id:@wl_data_offer?
<leave 1
<motion 1 time:u x:f y:f
<drop 1
<selection 1 id:@wl_data_offer?
wl_data_device_manager 4
>create_data_source 1 id:+wl_data_source
>get_data_device 1 id:+wl_data_device seat:@wl_seat
>release 4!
wl_data_offer 4
>accept 1 serial:u mime_type:s?
>receive 1 mime_type:s fd:h
>destroy 1!
>finish 3
>set_actions 3 dnd_actions:u preferred_action:u
<offer 1 mime_type:s
<source_actions 3 source_actions:u
<action 3 dnd_action:u
wl_data_source 4
>offer 1 mime_type:s
>destroy 1!
>set_actions 3 dnd_actions:u
<target 1 mime_type:s?
<send 1 mime_type:s fd:h
<cancelled 1
<dnd_drop_performed 3
<dnd_finished 3
<action 3 dnd_action:u
wl_display 1
>sync 1 callback:+wl_callback
>get_registry 1 registry:+wl_registry
<error 1 object_id:@* code:u message:s
<delete_id 1 id:u
wl_fixes 2
>destroy 1!
>destroy_registry 1 registry:@wl_registry
>ack_global_remove 2 registry:@wl_registry name:u
wl_keyboard 11
>release 3!
<keymap 1 format:u fd:h size:u
<enter 1 serial:u surface:@wl_surface keys:a
<leave 1 serial:u surface:@wl_surface
<key 1 serial:u time:u key:u state:u
<modifiers 1 serial:u mods_depressed:u mods_latched:u mods_locked:u group:u
<repeat_info 4 rate:i delay:i
wl_output 4
>release 3!
<geometry 1 x:i y:i physical_width:i physical_height:i subpixel:i make:s model:s transform:i
<mode 1 flags:u width:i height:i refresh:i
<done 2
<scale 2 factor:i
<name 4 name:s
<description 4 description:s
wl_pointer 11
>set_cursor 1 serial:u surface:@wl_surface? hotspot_x:i hotspot_y:i
>release 3!
<enter 1 serial:u surface:@wl_surface surface_x:f surface_y:f
<leave 1 serial:u surface:@wl_surface
<motion 1 time:u surface_x:f surface_y:f
<button 1 serial:u time:u button:u state:u
<axis 1 time:u axis:u value:f
<frame 5
<axis_source 5 axis_source:u
<axis_stop 5 time:u axis:u
<axis_discrete 5 axis:u discrete:i
<axis_value120 8 axis:u value120:i
<axis_relative_direction 9 axis:u direction:u
<warp 11 surface_x:f surface_y:f
wl_region 7
>destroy 1!
>add 1 x:i y:i width:i height:i
>subtract 1 x:i y:i width:i height:i
wl_registry 1
>bind 1 name:u id:+*
<global 1 name:u interface:s version:u
<global_remove 1 name:u
wl_seat 11
>get_pointer 1 id:+wl_pointer
>get_keyboard 1 id:+wl_keyboard
>get_touch 1 id:+wl_touch
>release 5!
<capabilities 1 capabilities:u
<name 2 name:s
wl_shell 1
>get_shell_surface 1 id:+wl_shell_surface surface:@wl_surface
wl_shell_surface 1
>pong 1 serial:u
>move 1 seat:@wl_seat serial:u
>resize 1 seat:@wl_seat serial:u edges:u
>set_toplevel 1
>set_transient 1 parent:@wl_surface x:i y:i flags:u
>set_fullscreen 1 method:u framerate:u output:@wl_output?
>set_popup 1 seat:@wl_seat serial:u parent:@wl_surface x:i y:i flags:u
>set_maximized 1 output:@wl_output?
>set_title 1 title:s
>set_class 1 class_:s
<ping 1 serial:u
<configure 1 edges:u width:i height:i
<popup_done 1
wl_shm 3
>create_pool 1 id:+wl_shm_pool fd:h size:i
>release 2!
<format 1 format:u
wl_shm_pool 3
>create_buffer 1 id:+wl_buffer offset:i width:i height:i stride:i format:u
>destroy 1!
>resize 1 size:i
wl_subcompositor 1
>destroy 1!
>get_subsurface 1 id:+wl_subsurface surface:@wl_surface parent:@wl_surface
wl_subsurface 1
>destroy 1!
>set_position 1 x:i y:i
>place_above 1 sibling:@wl_surface
>place_below 1 sibling:@wl_surface
>set_sync 1
>set_desync 1
wl_surface 7
>destroy 1!
>attach 1 buffer:@wl_buffer? x:i y:i
>damage 1 x:i y:i width:i height:i
>frame 1 callback:+wl_callback
>set_opaque_region 1 region:@wl_region?
>set_input_region 1 region:@wl_region?
>commit 1
>set_buffer_transform 2 transform:i
>set_buffer_scale 3 scale:i
>damage_buffer 4 x:i y:i width:i height:i
>offset 5 x:i y:i
>get_release 7 callback:+wl_callback
<enter 1 output:@wl_output
<leave 1 output:@wl_output
<preferred_buffer_scale 6 factor:i
<preferred_buffer_transform 6 transform:u
wl_touch 11
>release 3!
<down 1 serial:u time:u surface:@wl_surface id:i x:f y:f
<up 1 serial:u time:u id:i
<motion 1 time:u id:i x:f y:f
<frame 1
<cancel 1
<shape 6 id:i major:f minor:f
<orientation 6 id:i orientation:f
wp_alpha_modifier_surface_v1 1
>destroy 1!
>set_multiplier 1 factor:u
wp_alpha_modifier_v1 1
>destroy 1!
>get_surface 1 id:+wp_alpha_modifier_surface_v1 surface:@wl_surface
wp_color_management_output_v1 3
>destroy 1!
>get_image_description 1 image_description:+wp_image_description_v1
<image_description_changed 1
wp_color_management_surface_feedback_v1 3
>destroy 1!
>get_preferred 1 image_description:+wp_image_description_v1
>get_preferred_parametric 1 image_description:+wp_image_description_v1
<preferred_changed 1 identity:u
<preferred_changed2 2 identity_hi:u identity_lo:u
wp_color_management_surface_v1 3
>destroy 1!
>set_image_description 1 image_description:@wp_image_description_v1 render_intent:u
>unset_image_description 1
wp_color_manager_v1 3
>destroy 1!
>get_output 1 id:+wp_color_management_output_v1 output:@wl_output
>get_surface 1 id:+wp_color_management_surface_v1 surface:@wl_surface
>get_surface_feedback 1 id:+wp_color_management_surface_feedback_v1 surface:@wl_surface
>create_icc_creator 1 obj:+wp_image_description_creator_icc_v1
>create_parametric_creator 1 obj:+wp_image_description_creator_params_v1
>create_windows_scrgb 1 image_description:+wp_image_description_v1
>get_image_description 2 image_description:+wp_image_description_v1 reference:@wp_image_description_reference_v1
>create_windows_bt2100 3 image_description:+wp_image_description_v1
<supported_intent 1 render_intent:u
<supported_feature 1 feature:u
<supported_tf_named 1 tf:u
<supported_primaries_named 1 primaries:u
<done 1
wp_color_representation_manager_v1 1
>destroy 1!
>get_surface 1 id:+wp_color_representation_surface_v1 surface:@wl_surface
<supported_alpha_mode 1 alpha_mode:u
<supported_coefficients_and_ranges 1 coefficients:u range:u
<done 1
wp_color_representation_surface_v1 1
>destroy 1!
>set_alpha_mode 1 alpha_mode:u
>set_coefficients_and_range 1 coefficients:u range:u
>set_chroma_location 1 chroma_location:u
wp_commit_timer_v1 1
>set_timestamp 1 tv_sec_hi:u tv_sec_lo:u tv_nsec:u
>destroy 1!
wp_commit_timing_manager_v1 1
>destroy 1!
>get_timer 1 id:+wp_commit_timer_v1 surface:@wl_surface
wp_content_type_manager_v1 1
>destroy 1!
>get_surface_content_type 1 id:+wp_content_type_v1 surface:@wl_surface
wp_content_type_v1 1
>destroy 1!
>set_content_type 1 content_type:u
wp_cursor_shape_device_v1 2
>destroy 1!
>set_shape 1 serial:u shape:u
wp_cursor_shape_manager_v1 2
>destroy 1!
>get_pointer 1 cursor_shape_device:+wp_cursor_shape_device_v1 pointer:@wl_pointer
>get_tablet_tool_v2 1 cursor_shape_device:+wp_cursor_shape_device_v1 tablet_tool:@zwp_tablet_tool_v2
wp_drm_lease_connector_v1 1
>destroy 1!
<name 1 name:s
<description 1 description:s
<connector_id 1 connector_id:u
<done 1
<withdrawn 1
wp_drm_lease_device_v1 1
>create_lease_request 1 id:+wp_drm_lease_request_v1
>release 1
<drm_fd 1 fd:h
<connector 1 id:+wp_drm_lease_connector_v1
<done 1
<released 1!
wp_drm_lease_request_v1 1
>request_connector 1 connector:@wp_drm_lease_connector_v1
>submit 1! id:+wp_drm_lease_v1
wp_drm_lease_v1 1
>destroy 1!
<lease_fd 1 leased_fd:h
<finished 1
wp_fifo_manager_v1 1
>destroy 1!
>get_fifo 1 id:+wp_fifo_v1 surface:@wl_surface
wp_fifo_v1 1
>set_barrier 1
>wait_barrier 1
>destroy 1!
wp_fractional_scale_manager_v1 1
>destroy 1!
>get_fractional_scale 1 id:+wp_fractional_scale_v1 surface:@wl_surface
wp_fractional_scale_v1 1
>destroy 1!
<preferred_scale 1 scale:u
wp_image_description_creator_icc_v1 3
>create 1! image_description:+wp_image_description_v1
>set_icc_file 1 icc_profile:h offset:u length:u
wp_image_description_creator_params_v1 3
>create 1! image_description:+wp_image_description_v1
>set_tf_named 1 tf:u
>set_tf_power 1 eexp:u
>set_primaries_named 1 primaries:u
>set_primaries 1 r_x:i r_y:i g_x:i g_y:i b_x:i b_y:i w_x:i w_y:i
>set_luminances 1 min_lum:u max_lum:u reference_lum:u
>set_mastering_display_primaries 1 r_x:i r_y:i g_x:i g_y:i b_x:i b_y:i w_x:i w_y:i
>set_mastering_luminance 1 min_lum:u max_lum:u
>set_max_cll 1 max_cll:u
>set_max_fall 1 max_fall:u
wp_image_description_info_v1 3
<done 1!
<icc_file 1 icc:h icc_size:u
<primaries 1 r_x:i r_y:i g_x:i g_y:i b_x:i b_y:i w_x:i w_y:i
<primaries_named 1 primaries:u
<tf_power 1 eexp:u
<tf_named 1 tf:u
<luminances 1 min_lum:u max_lum:u reference_lum:u
<target_primaries 1 r_x:i r_y:i g_x:i g_y:i b_x:i b_y:i w_x:i w_y:i
<target_luminance 1 min_lum:u max_lum:u
<target_max_cll 1 max_cll:u
<target_max_fall 1 max_fall:u
wp_image_description_reference_v1 1
>destroy 1!
wp_image_description_v1 3
>destroy 1!
>get_information 1 information:+wp_image_description_info_v1
<failed 1 cause:u msg:s
<ready 1 identity:u
<ready2 2 identity_hi:u identity_lo:u
wp_linux_drm_syncobj_manager_v1 1
>destroy 1!
>get_surface 1 id:+wp_linux_drm_syncobj_surface_v1 surface:@wl_surface
>import_timeline 1 id:+wp_linux_drm_syncobj_timeline_v1 fd:h
wp_linux_drm_syncobj_surface_v1 1
>destroy 1!
>set_acquire_point 1 timeline:@wp_linux_drm_syncobj_timeline_v1 point_hi:u point_lo:u
>set_release_point 1 timeline:@wp_linux_drm_syncobj_timeline_v1 point_hi:u point_lo:u
wp_linux_drm_syncobj_timeline_v1 1
>destroy 1!
wp_pointer_warp_v1 1
>destroy 1!
>warp_pointer 1 surface:@wl_surface pointer:@wl_pointer x:f y:f serial:u
wp_presentation 2
>destroy 1!
>feedback 1 surface:@wl_surface callback:+wp_presentation_feedback
<clock_id 1 clk_id:u
wp_presentation_feedback 2
<sync_output 1 output:@wl_output
<presented 1! tv_sec_hi:u tv_sec_lo:u tv_nsec:u refresh:u seq_hi:u seq_lo:u flags:u
<discarded 1!
wp_security_context_manager_v1 1
>destroy 1!
>create_listener 1 id:+wp_security_context_v1 listen_fd:h close_fd:h
wp_security_context_v1 1
>destroy 1!
>set_sandbox_engine 1 name:s
>set_app_id 1 app_id:s
>set_instance_id 1 instance_id:s
>commit 1
wp_single_pixel_buffer_manager_v1 1
>destroy 1!
>create_u32_rgba_buffer 1 id:+wl_buffer r:u g:u b:u a:u
wp_tearing_control_manager_v1 1
>destroy 1!
>get_tearing_control 1 id:+wp_tearing_control_v1 surface:@wl_surface
wp_tearing_control_v1 1
>set_presentation_hint 1 hint:u
>destroy 1!
wp_viewport 1
>destroy 1!
>set_source 1 x:f y:f width:f height:f
>set_destination 1 width:i height:i
wp_viewporter 1
>destroy 1!
>get_viewport 1 id:+wp_viewport surface:@wl_surface
xdg_activation_token_v1 1
>set_serial 1 serial:u seat:@wl_seat
>set_app_id 1 app_id:s
>set_surface 1 surface:@wl_surface
>commit 1
>destroy 1!
<done 1 token:s
xdg_activation_v1 1
>destroy 1!
>get_activation_token 1 id:+xdg_activation_token_v1
>activate 1 token:s surface:@wl_surface
xdg_dialog_v1 1
>destroy 1!
>set_modal 1
>unset_modal 1
xdg_popup 7
>destroy 1!
>grab 1 seat:@wl_seat serial:u
>reposition 3 positioner:@xdg_positioner token:u
<configure 1 x:i y:i width:i height:i
<popup_done 1
<repositioned 3 token:u
xdg_positioner 7
>destroy 1!
>set_size 1 width:i height:i
>set_anchor_rect 1 x:i y:i width:i height:i
>set_anchor 1 anchor:u
>set_gravity 1 gravity:u
>set_constraint_adjustment 1 constraint_adjustment:u
>set_offset 1 x:i y:i
>set_reactive 3
>set_parent_size 3 parent_width:i parent_height:i
>set_parent_configure 3 serial:u
xdg_session_manager_v1 1
>destroy 1!
>get_session 1 id:+xdg_session_v1 reason:u session_id:s?
xdg_session_v1 1
>destroy 1!
>remove 1!
>add_toplevel 1 id:+xdg_toplevel_session_v1 toplevel:@xdg_toplevel name:s
>restore_toplevel 1 id:+xdg_toplevel_session_v1 toplevel:@xdg_toplevel name:s
>remove_toplevel 1 name:s
<created 1 session_id:s
<restored 1
<replaced 1
xdg_surface 7
>destroy 1!
>get_toplevel 1 id:+xdg_toplevel
>get_popup 1 id:+xdg_popup parent:@xdg_surface? positioner:@xdg_positioner
>set_window_geometry 1 x:i y:i width:i height:i
>ack_configure 1 serial:u
<configure 1 serial:u
xdg_system_bell_v1 1
>destroy 1!
>ring 1 surface:@wl_surface?
xdg_toplevel 7
>destroy 1!
>set_parent 1 parent:@xdg_toplevel?
>set_title 1 title:s
>set_app_id 1 app_id:s
>show_window_menu 1 seat:@wl_seat serial:u x:i y:i
>move 1 seat:@wl_seat serial:u
>resize 1 seat:@wl_seat serial:u edges:u
>set_max_size 1 width:i height:i
>set_min_size 1 width:i height:i
>set_maximized 1
>unset_maximized 1
>set_fullscreen 1 output:@wl_output?
>unset_fullscreen 1
>set_minimized 1
<configure 1 width:i height:i states:a
<close 1
<configure_bounds 4 width:i height:i
<wm_capabilities 5 capabilities:a
xdg_toplevel_drag_manager_v1 1
>destroy 1!
>get_xdg_toplevel_drag 1 id:+xdg_toplevel_drag_v1 data_source:@wl_data_source
xdg_toplevel_drag_v1 1
>destroy 1!
>attach 1 toplevel:@xdg_toplevel x_offset:i y_offset:i
xdg_toplevel_icon_manager_v1 1
>destroy 1!
>create_icon 1 id:+xdg_toplevel_icon_v1
>set_icon 1 toplevel:@xdg_toplevel icon:@xdg_toplevel_icon_v1?
<icon_size 1 size:i
<done 1
xdg_toplevel_icon_v1 1
>destroy 1!
>set_name 1 icon_name:s
>add_buffer 1 buffer:@wl_buffer scale:i
xdg_toplevel_session_v1 1
>destroy 1!
>rename 1 name:s
<restored 1
xdg_toplevel_tag_manager_v1 1
>destroy 1!
>set_toplevel_tag 1 toplevel:@xdg_toplevel tag:s
>set_toplevel_description 1 toplevel:@xdg_toplevel description:s
xdg_wm_base 7
>destroy 1!
>create_positioner 1 id:+xdg_positioner
>get_xdg_surface 1 id:+xdg_surface surface:@wl_surface
>pong 1 serial:u
<ping 1 serial:u
xdg_wm_dialog_v1 1
>destroy 1!
>get_xdg_dialog 1 id:+xdg_dialog_v1 toplevel:@xdg_toplevel
xwayland_shell_v1 1
>destroy 1!
>get_xwayland_surface 1 id:+xwayland_surface_v1 surface:@wl_surface
xwayland_surface_v1 1
>set_serial 1 serial_lo:u serial_hi:u
>destroy 1!
zwlr_data_control_device_v1 2
>set_selection 1 source:@zwlr_data_control_source_v1?
>destroy 1!
>set_primary_selection 2 source:@zwlr_data_control_source_v1?
<data_offer 1 id:+zwlr_data_control_offer_v1
<selection 1 id:@zwlr_data_control_offer_v1?
<finished 1
<primary_selection 2 id:@zwlr_data_control_offer_v1?
zwlr_data_control_manager_v1 2
>create_data_source 1 id:+zwlr_data_control_source_v1
>get_data_device 1 id:+zwlr_data_control_device_v1 seat:@wl_seat
>destroy 1!
zwlr_data_control_offer_v1 1
>receive 1 mime_type:s fd:h
>destroy 1!
<offer 1 mime_type:s
zwlr_data_control_source_v1 1
>offer 1 mime_type:s
>destroy 1!
<send 1 mime_type:s fd:h
<cancelled 1
zwlr_export_dmabuf_frame_v1 1
>destroy 1!
<frame 1 width:u height:u offset_x:u offset_y:u buffer_flags:u flags:u format:u mod_high:u mod_low:u num_objects:u
<object 1 index:u fd:h size:u offset:u stride:u plane_index:u
<ready 1 tv_sec_hi:u tv_sec_lo:u tv_nsec:u
<cancel 1 reason:u
zwlr_export_dmabuf_manager_v1 1
>capture_output 1 frame:+zwlr_export_dmabuf_frame_v1 overlay_cursor:i output:@wl_output
>destroy 1!
zwlr_foreign_toplevel_handle_v1 3
>set_maximized 1
>unset_maximized 1
>set_minimized 1
>unset_minimized 1
>activate 1 seat:@wl_seat
>close 1
>set_rectangle 1 surface:@wl_surface x:i y:i width:i height:i
>destroy 1!
>set_fullscreen 2 output:@wl_output?
>unset_fullscreen 2
<title 1 title:s
<app_id 1 app_id:s
<output_enter 1 output:@wl_output
<output_leave 1 output:@wl_output
<state 1 state:a
<done 1
<closed 1
<parent 3 parent:@zwlr_foreign_toplevel_handle_v1?
zwlr_foreign_toplevel_manager_v1 3
>stop 1
<toplevel 1 toplevel:+zwlr_foreign_toplevel_handle_v1
<finished 1!
zwlr_gamma_control_manager_v1 1
>get_gamma_control 1 id:+zwlr_gamma_control_v1 output:@wl_output
>destroy 1!
zwlr_gamma_control_v1 1
>set_gamma 1 fd:h
>destroy 1!
<gamma_size 1 size:u
<failed 1
zwlr_input_inhibit_manager_v1 1
>get_inhibitor 1 id:+zwlr_input_inhibitor_v1
zwlr_input_inhibitor_v1 1
>destroy 1!
zwlr_layer_shell_v1 5
>get_layer_surface 1 id:+zwlr_layer_surface_v1 surface:@wl_surface output:@wl_output? layer:u namespace:s
>destroy 3!
zwlr_layer_surface_v1 5
>set_size 1 width:u height:u
>set_anchor 1 anchor:u
>set_exclusive_zone 1 zone:i
>set_margin 1 top:i right:i bottom:i left:i
>set_keyboard_interactivity 1 keyboard_interactivity:u
>get_popup 1 popup:@xdg_popup
>ack_configure 1 serial:u
>destroy 1!
>set_layer 2 layer:u
>set_exclusive_edge 5 edge:u
<configure 1 serial:u width:u height:u
<closed 1
zwlr_output_configuration_head_v1 4
>set_mode 1 mode:@zwlr_output_mode_v1
>set_custom_mode 1 width:i height:i refresh:i
>set_position 1 x:i y:i
>set_transform 1 transform:i
>set_scale 1 scale:f
>set_adaptive_sync 4 state:u
zwlr_output_configuration_v1 4
>enable_head 1 id:+zwlr_output_configuration_head_v1 head:@zwlr_output_head_v1
>disable_head 1 head:@zwlr_output_head_v1
>apply 1
>test 1
>destroy 1!
<succeeded 1
<failed 1
<cancelled 1
zwlr_output_head_v1 4
>release 3!
<name 1 name:s
<description 1 description:s
<physical_size 1 width:i height:i
<mode 1 mode:+zwlr_output_mode_v1
<enabled 1 enabled:i
<current_mode 1 mode:@zwlr_output_mode_v1
<position 1 x:i y:i
<transform 1 transform:i
<scale 1 scale:f
<finished 1
<make 2 make:s
<model 2 model:s
<serial_number 2 serial_number:s
<adaptive_sync 4 state:u
zwlr_output_manager_v1 4
>create_configuration 1 id:+zwlr_output_configuration_v1 serial:u
>stop 1
<head 1 head:+zwlr_output_head_v1
<done 1 serial:u
<finished 1!
zwlr_output_mode_v1 3
>release 3!
<size 1 width:i height:i
<refresh 1 refresh:i
<preferred 1
<finished 1
zwlr_output_power_manager_v1 1
>get_output_power 1 id:+zwlr_output_power_v1 output:@wl_output
>destroy 1!
zwlr_output_power_v1 1
>set_mode 1 mode:u
>destroy 1!
<mode 1 mode:u
<failed 1
zwlr_screencopy_frame_v1 3
>copy 1 buffer:@wl_buffer
>destroy 1!
>copy_with_damage 2 buffer:@wl_buffer
<buffer 1 format:u width:u height:u stride:u
<flags 1 flags:u
<ready 1 tv_sec_hi:u tv_sec_lo:u tv_nsec:u
<failed 1
<damage 2 x:u y:u width:u height:u
<linux_dmabuf 3 format:u width:u height:u
<buffer_done 3
zwlr_screencopy_manager_v1 3
>capture_output 1 frame:+zwlr_screencopy_frame_v1 overlay_cursor:i output:@wl_output
>capture_output_region 1 frame:+zwlr_screencopy_frame_v1 overlay_cursor:i output:@wl_output x:i y:i width:i height:i
>destroy 1!
zwlr_virtual_pointer_manager_v1 2
>create_virtual_pointer 1 seat:@wl_seat? id:+zwlr_virtual_pointer_v1
>destroy 1!
>create_virtual_pointer_with_output 2 seat:@wl_seat? output:@wl_output? id:+zwlr_virtual_pointer_v1
zwlr_virtual_pointer_v1 2
>motion 1 time:u dx:f dy:f
>motion_absolute 1 time:u x:u y:u x_extent:u y_extent:u
>button 1 time:u button:u state:u
>axis 1 time:u axis:u value:f
>frame 1
>axis_source 1 axis_source:u
>axis_stop 1 time:u axis:u
>axis_discrete 1 time:u axis:u value:f discrete:i
>destroy 1!
zwp_confined_pointer_v1 1
>destroy 1!
>set_region 1 region:@wl_region?
<confined 1
<unconfined 1
zwp_fullscreen_shell_mode_feedback_v1 1
<mode_successful 1!
<mode_failed 1!
<present_cancelled 1!
zwp_fullscreen_shell_v1 1
>release 1!
>present_surface 1 surface:@wl_surface? method:u output:@wl_output?
>present_surface_for_mode 1 surface:@wl_surface output:@wl_output framerate:i feedback:+zwp_fullscreen_shell_mode_feedback_v1
<capability 1 capability:u
zwp_idle_inhibit_manager_v1 1
>destroy 1!
>create_inhibitor 1 id:+zwp_idle_inhibitor_v1 surface:@wl_surface
zwp_idle_inhibitor_v1 1
>destroy 1!
zwp_input_method_context_v1 1
>destroy 1!
>commit_string 1 serial:u text:s
>preedit_string 1 serial:u text:s commit:s
>preedit_styling 1 index:u length:u style:u
>preedit_cursor 1 index:i
>delete_surrounding_text 1 index:i length:u
>cursor_position 1 index:i anchor:i
>modifiers_map 1 map:a
>keysym 1 serial:u time:u sym:u state:u modifiers:u
>grab_keyboard 1 keyboard:+wl_keyboard
>key 1 serial:u time:u key:u state:u
>modifiers 1 serial:u mods_depressed:u mods_latched:u mods_locked:u group:u
>language 1 serial:u language:s
>text_direction 1 serial:u direction:u
<surrounding_text 1 text:s cursor:u anchor:u
<reset 1
<content_type 1 hint:u purpose:u
<invoke_action 1 button:u index:u
<commit_state 1 serial:u
<preferred_language 1 language:s
zwp_input_method_keyboard_grab_v2 1
>release 1!
<keymap 1 format:u fd:h size:u
<key 1 serial:u time:u key:u state:u
<modifiers 1 serial:u mods_depressed:u mods_latched:u mods_locked:u group:u
<repeat_info 1 rate:i delay:i
zwp_input_method_manager_v2 1
>get_input_method 1 seat:@wl_seat input_method:+zwp_input_method_v2
>destroy 1!
zwp_input_method_v1 1
<activate 1 id:+zwp_input_method_context_v1
<deactivate 1 context:@zwp_input_method_context_v1
zwp_input_method_v2 1
>commit_string 1 text:s
>set_preedit_string 1 text:s cursor_begin:i cursor_end:i
>delete_surrounding_text 1 before_length:u after_length:u
>commit 1 serial:u
>get_input_popup_surface 1 id:+zwp_input_popup_surface_v2 surface:@wl_surface
>grab_keyboard 1 keyboard:+zwp_input_method_keyboard_grab_v2
>destroy 1!
<activate 1
<deactivate 1
<surrounding_text 1 text:s cursor:u anchor:u
<text_change_cause 1 cause:u
<content_type 1 hint:u purpose:u
<done 1
<unavailable 1
zwp_input_panel_surface_v1 1
>set_toplevel 1 output:@wl_output position:u
>set_overlay_panel 1
zwp_input_panel_v1 1
>get_input_panel_surface 1 id:+zwp_input_panel_surface_v1 surface:@wl_surface
zwp_input_popup_surface_v2 1
>destroy 1!
<text_input_rectangle 1 x:i y:i width:i height:i
zwp_input_timestamps_manager_v1 1
>destroy 1!
>get_keyboard_timestamps 1 id:+zwp_input_timestamps_v1 keyboard:@wl_keyboard
>get_pointer_timestamps 1 id:+zwp_input_timestamps_v1 pointer:@wl_pointer
>get_touch_timestamps 1 id:+zwp_input_timestamps_v1 touch:@wl_touch
zwp_input_timestamps_v1 1
>destroy 1!
<timestamp 1 tv_sec_hi:u tv_sec_lo:u tv_nsec:u
zwp_keyboard_shortcuts_inhibit_manager_v1 1
>destroy 1!
>inhibit_shortcuts 1 id:+zwp_keyboard_shortcuts_inhibitor_v1 surface:@wl_surface seat:@wl_seat
zwp_keyboard_shortcuts_inhibitor_v1 1
>destroy 1!
<active 1
<inactive 1
zwp_linux_buffer_params_v1 6
>destroy 1!
>add 1 fd:h plane_idx:u offset:u stride:u modifier_hi:u modifier_lo:u
>create 1 width:i height:i format:u flags:u
>create_immed 2 buffer_id:+wl_buffer width:i height:i format:u flags:u
>set_sampling_device 6 device:a
<created 1 buffer:+wl_buffer
<failed 1
zwp_linux_buffer_release_v1 1
<fenced_release 1! fence:h
<immediate_release 1!
zwp_linux_dmabuf_feedback_v1 6
>destroy 1!
<done 1
<format_table 1 fd:h size:u
<main_device 1 device:a
<tranche_done 1
<tranche_target_device 1 device:a
<tranche_formats 1 indices:a
<tranche_flags 1 flags:u
zwp_linux_dmabuf_v1 6
>destroy 1!
>create_params 1 params_id:+zwp_linux_buffer_params_v1
>get_default_feedback 4 id:+zwp_linux_dmabuf_feedback_v1
>get_surface_feedback 4 id:+zwp_linux_dmabuf_feedback_v1 surface:@wl_surface
<format 1 format:u
<modifier 3 format:u modifier_hi:u modifier_lo:u
zwp_linux_explicit_synchronization_v1 2
>destroy 1!
>get_synchronization 1 id:+zwp_linux_surface_synchronization_v1 surface:@wl_surface
zwp_linux_surface_synchronization_v1 2
>destroy 1!
>set_acquire_fence 1 fd:h
>get_release 1 release:+zwp_linux_buffer_release_v1
zwp_locked_pointer_v1 1
>destroy 1!
>set_cursor_position_hint 1 surface_x:f surface_y:f
>set_region 1 region:@wl_region?
<locked 1
<unlocked 1
zwp_pointer_constraints_v1 1
>destroy 1!
>lock_pointer 1 id:+zwp_locked_pointer_v1 surface:@wl_surface pointer:@wl_pointer region:@wl_region? lifetime:u
>confine_pointer 1 id:+zwp_confined_pointer_v1 surface:@wl_surface pointer:@wl_pointer region:@wl_region? lifetime:u
zwp_pointer_gesture_hold_v1 3
>destroy 3!
<begin 3 serial:u time:u surface:@wl_surface fingers:u
<end 3 serial:u time:u cancelled:i
zwp_pointer_gesture_pinch_v1 3
>destroy 1!
<begin 1 serial:u time:u surface:@wl_surface fingers:u
<update 1 time:u dx:f dy:f scale:f rotation:f
<end 1 serial:u time:u cancelled:i
zwp_pointer_gesture_swipe_v1 3
>destroy 1!
<begin 1 serial:u time:u surface:@wl_surface fingers:u
<update 1 time:u dx:f dy:f
<end 1 serial:u time:u cancelled:i
zwp_pointer_gestures_v1 3
>get_swipe_gesture 1 id:+zwp_pointer_gesture_swipe_v1 pointer:@wl_pointer
>get_pinch_gesture 1 id:+zwp_pointer_gesture_pinch_v1 pointer:@wl_pointer
>release 2!
>get_hold_gesture 3 id:+zwp_pointer_gesture_hold_v1 pointer:@wl_pointer
zwp_primary_selection_device_manager_v1 1
>create_source 1 id:+zwp_primary_selection_source_v1
>get_device 1 id:+zwp_primary_selection_device_v1 seat:@wl_seat
>destroy 1!
zwp_primary_selection_device_v1 1
>set_selection 1 source:@zwp_primary_selection_source_v1? serial:u
>destroy 1!
<data_offer 1 offer:+zwp_primary_selection_offer_v1
<selection 1 id:@zwp_primary_selection_offer_v1?
zwp_primary_selection_offer_v1 1
>receive 1 mime_type:s fd:h
>destroy 1!
<offer 1 mime_type:s
zwp_primary_selection_source_v1 1
>offer 1 mime_type:s
>destroy 1!
<send 1 mime_type:s fd:h
<cancelled 1
zwp_relative_pointer_manager_v1 1
>destroy 1!
>get_relative_pointer 1 id:+zwp_relative_pointer_v1 pointer:@wl_pointer
zwp_relative_pointer_v1 1
>destroy 1!
<relative_motion 1 utime_hi:u utime_lo:u dx:f dy:f dx_unaccel:f dy_unaccel:f
zwp_tablet_manager_v1 1
>get_tablet_seat 1 tablet_seat:+zwp_tablet_seat_v1 seat:@wl_seat
>destroy 1!
zwp_tablet_manager_v2 2
>get_tablet_seat 1 tablet_seat:+zwp_tablet_seat_v2 seat:@wl_seat
>destroy 1!
zwp_tablet_pad_dial_v2 2
>set_feedback 1 description:s serial:u
>destroy 1!
<delta 1 value120:i
<frame 1 time:u
zwp_tablet_pad_group_v2 2
>destroy 1!
<buttons 1 buttons:a
<ring 1 ring:+zwp_tablet_pad_ring_v2
<strip 1 strip:+zwp_tablet_pad_strip_v2
<modes 1 modes:u
<done 1
<mode_switch 1 time:u serial:u mode:u
<dial 2 dial:+zwp_tablet_pad_dial_v2
zwp_tablet_pad_ring_v2 2
>set_feedback 1 description:s serial:u
>destroy 1!
<source 1 source:u
<angle 1 degrees:f
<stop 1
<frame 1 time:u
zwp_tablet_pad_strip_v2 2
>set_feedback 1 description:s serial:u
>destroy 1!
<source 1 source:u
<position 1 position:u
<stop 1
<frame 1 time:u
zwp_tablet_pad_v2 2
>set_feedback 1 button:u description:s serial:u
>destroy 1!
<group 1 pad_group:+zwp_tablet_pad_group_v2
<path 1 path:s
<buttons 1 buttons:u
<done 1
<button 1 time:u button:u state:u
<enter 1 serial:u tablet:@zwp_tablet_v2 surface:@wl_surface
<leave 1 serial:u surface:@wl_surface
<removed 1
zwp_tablet_seat_v1 1
>destroy 1!
<tablet_added 1 id:+zwp_tablet_v1
<tool_added 1 id:+zwp_tablet_tool_v1
zwp_tablet_seat_v2 2
>destroy 1!
<tablet_added 1 id:+zwp_tablet_v2
<tool_added 1 id:+zwp_tablet_tool_v2
<pad_added 1 id:+zwp_tablet_pad_v2
zwp_tablet_tool_v1 1
>set_cursor 1 serial:u surface:@wl_surface? hotspot_x:i hotspot_y:i
>destroy 1!
<type 1 tool_type:u
<hardware_serial 1 hardware_serial_hi:u hardware_serial_lo:u
<hardware_id_wacom 1 hardware_id_hi:u hardware_id_lo:u
<capability 1 capability:u
<done 1
<removed 1
<proximity_in 1 serial:u tablet:@zwp_tablet_v1 surface:@wl_surface
<proximity_out 1
<down 1 serial:u
<up 1
<motion 1 x:f y:f
<pressure 1 pressure:u
<distance 1 distance:u
<tilt 1 tilt_x:i tilt_y:i
<rotation 1 degrees:i
<slider 1 position:i
<wheel 1 degrees:i clicks:i
<button 1 serial:u button:u state:u
<frame 1 time:u
zwp_tablet_tool_v2 2
>set_cursor 1 serial:u surface:@wl_surface? hotspot_x:i hotspot_y:i
>destroy 1!
<type 1 tool_type:u
<hardware_serial 1 hardware_serial_hi:u hardware_serial_lo:u
<hardware_id_wacom 1 hardware_id_hi:u hardware_id_lo:u
<capability 1 capability:u
<done 1
<removed 1
<proximity_in 1 serial:u tablet:@zwp_tablet_v2 surface:@wl_surface
<proximity_out 1
<down 1 serial:u
<up 1
<motion 1 x:f y:f
<pressure 1 pressure:u
<distance 1 distance:u
<tilt 1 tilt_x:f tilt_y:f
<rotation 1 degrees:f
<slider 1 position:i
<wheel 1 degrees:f clicks:i
<button 1 serial:u button:u state:u
<frame 1 time:u
zwp_tablet_v1 1
>destroy 1!
<name 1 name:s
<id 1 vid:u pid:u
<path 1 path:s
<done 1
<removed 1
zwp_tablet_v2 2
>destroy 1!
<name 1 name:s
<id 1 vid:u pid:u
<path 1 path:s
<done 1
<removed 1
<bustype 2 bustype:u
zwp_text_input_manager_v1 1
>create_text_input 1 id:+zwp_text_input_v1
zwp_text_input_manager_v3 2
>destroy 1!
>get_text_input 1 id:+zwp_text_input_v3 seat:@wl_seat
zwp_text_input_v1 1
>activate 1 seat:@wl_seat surface:@wl_surface
>deactivate 1 seat:@wl_seat
>show_input_panel 1
>hide_input_panel 1
>reset 1
>set_surrounding_text 1 text:s cursor:u anchor:u
>set_content_type 1 hint:u purpose:u
>set_cursor_rectangle 1 x:i y:i width:i height:i
>set_preferred_language 1 language:s
>commit_state 1 serial:u
>invoke_action 1 button:u index:u
<enter 1 surface:@wl_surface
<leave 1
<modifiers_map 1 map:a
<input_panel_state 1 state:u
<preedit_string 1 serial:u text:s commit:s
<preedit_styling 1 index:u length:u style:u
<preedit_cursor 1 index:i
<commit_string 1 serial:u text:s
<cursor_position 1 index:i anchor:i
<delete_surrounding_text 1 index:i length:u
<keysym 1 serial:u time:u sym:u state:u modifiers:u
<language 1 serial:u language:s
<text_direction 1 serial:u direction:u
zwp_text_input_v3 2
>destroy 1!
>enable 1
>disable 1
>set_surrounding_text 1 text:s cursor:i anchor:i
>set_text_change_cause 1 cause:u
>set_content_type 1 hint:u purpose:u
>set_cursor_rectangle 1 x:i y:i width:i height:i
>commit 1
>set_available_actions 2 available_actions:a
>show_input_panel 2
>hide_input_panel 2
<enter 1 surface:@wl_surface
<leave 1 surface:@wl_surface
<preedit_string 1 text:s? cursor_begin:i cursor_end:i
<commit_string 1 text:s?
<delete_surrounding_text 1 before_length:u after_length:u
<done 1 serial:u
<action 2 action:u serial:u
<language 2 language:s
<preedit_hint 2 start:u end:u hint:u
zwp_virtual_keyboard_manager_v1 1
>create_virtual_keyboard 1 seat:@wl_seat id:+zwp_virtual_keyboard_v1
zwp_virtual_keyboard_v1 1
>keymap 1 format:u fd:h size:u
>key 1 time:u key:u state:u
>modifiers 1 mods_depressed:u mods_latched:u mods_locked:u group:u
>destroy 1!
zwp_xwayland_keyboard_grab_manager_v1 1
>destroy 1!
>grab_keyboard 1 id:+zwp_xwayland_keyboard_grab_v1 surface:@wl_surface seat:@wl_seat
zwp_xwayland_keyboard_grab_v1 1
>destroy 1!
zxdg_decoration_manager_v1 2
>destroy 1!
>get_toplevel_decoration 1 id:+zxdg_toplevel_decoration_v1 toplevel:@xdg_toplevel
zxdg_exported_v1 1
>destroy 1!
<handle 1 handle:s
zxdg_exported_v2 1
>destroy 1!
<handle 1 handle:s
zxdg_exporter_v1 1
>destroy 1!
>export 1 id:+zxdg_exported_v1 surface:@wl_surface
zxdg_exporter_v2 1
>destroy 1!
>export_toplevel 1 id:+zxdg_exported_v2 surface:@wl_surface
zxdg_imported_v1 1
>destroy 1!
>set_parent_of 1 surface:@wl_surface
<destroyed 1
zxdg_imported_v2 1
>destroy 1!
>set_parent_of 1 surface:@wl_surface
<destroyed 1
zxdg_importer_v1 1
>destroy 1!
>import 1 id:+zxdg_imported_v1 handle:s
zxdg_importer_v2 1
>destroy 1!
>import_toplevel 1 id:+zxdg_imported_v2 handle:s
zxdg_output_manager_v1 3
>destroy 1!
>get_xdg_output 1 id:+zxdg_output_v1 output:@wl_output
zxdg_output_v1 3
>destroy 1!
<logical_position 1 x:i y:i
<logical_size 1 width:i height:i
<done 1
<name 2 name:s
<description 2 description:s
zxdg_popup_v6 1
>destroy 1!
>grab 1 seat:@wl_seat serial:u
<configure 1 x:i y:i width:i height:i
<popup_done 1
zxdg_positioner_v6 1
>destroy 1!
>set_size 1 width:i height:i
>set_anchor_rect 1 x:i y:i width:i height:i
>set_anchor 1 anchor:u
>set_gravity 1 gravity:u
>set_constraint_adjustment 1 constraint_adjustment:u
>set_offset 1 x:i y:i
zxdg_shell_v6 1
>destroy 1!
>create_positioner 1 id:+zxdg_positioner_v6
>get_xdg_surface 1 id:+zxdg_surface_v6 surface:@wl_surface
>pong 1 serial:u
<ping 1 serial:u
zxdg_surface_v6 1
>destroy 1!
>get_toplevel 1 id:+zxdg_toplevel_v6
>get_popup 1 id:+zxdg_popup_v6 parent:@zxdg_surface_v6 positioner:@zxdg_positioner_v6
>set_window_geometry 1 x:i y:i width:i height:i
>ack_configure 1 serial:u
<configure 1 serial:u
zxdg_toplevel_decoration_v1 2
>destroy 1!
>set_mode 1 mode:u
>unset_mode 1
<configure 1 mode:u
zxdg_toplevel_v6 1
>destroy 1!
>set_parent 1 parent:@zxdg_toplevel_v6?
>set_title 1 title:s
>set_app_id 1 app_id:s
>show_window_menu 1 seat:@wl_seat serial:u x:i y:i
>move 1 seat:@wl_seat serial:u
>resize 1 seat:@wl_seat serial:u edges:u
>set_max_size 1 width:i height:i
>set_min_size 1 width:i height:i
>set_maximized 1
>unset_maximized 1
>set_fullscreen 1 output:@wl_output?
>unset_fullscreen 1
>set_minimized 1
<configure 1 width:i height:i states:a
<close 1
`
