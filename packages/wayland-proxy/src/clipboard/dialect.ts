/** The two selections of Wayland differ in their names alone. */
export interface Dialect {
  readonly kind: 'clipboard' | 'primary'
  readonly manager: string
  readonly device: string
  readonly source: string
  readonly offer: string
  readonly createSource: string
  readonly getDevice: string
}

export const CLIPBOARD: Dialect = {
  kind: 'clipboard',
  manager: 'wl_data_device_manager',
  device: 'wl_data_device',
  source: 'wl_data_source',
  offer: 'wl_data_offer',
  createSource: 'create_data_source',
  getDevice: 'get_data_device',
}

export const PRIMARY: Dialect = {
  kind: 'primary',
  manager: 'zwp_primary_selection_device_manager_v1',
  device: 'zwp_primary_selection_device_v1',
  source: 'zwp_primary_selection_source_v1',
  offer: 'zwp_primary_selection_offer_v1',
  createSource: 'create_source',
  getDevice: 'get_device',
}
